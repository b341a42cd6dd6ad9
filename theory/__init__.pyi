from .core.bench import check as check
from .core.bench import predict as predict
from .core.catalog import claim as claim
from .core.catalog import claims as claims
from .core.catalog import room as room
from .core.catalog import rooms as rooms
