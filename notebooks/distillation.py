import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="full",
    app_title="Theorem Bench · knowledge distillation",
    css_file="../widgets/static/bench.css",
    html_head_file="../widgets/static/head.html",
)

with app.setup:
    import marimo as mo

    from widgets.distillation import own, prose
    from widgets.distillation import page as room
    from widgets.distillation import sections as tests
    from widgets.kit import cards, controls, page, panel


@app.cell(hide_code=True)
def _():
    _query = mo.query_params().to_dict()
    screen = page.Screen.of(_query)
    visit = page.Visit.of(room.PAGE, _query)
    get_point, set_point = mo.state(visit.point)
    get_run, set_run = mo.state(panel.Run())
    get_rested, set_rested = mo.state(panel.Run())
    get_pin, set_pin = mo.state(None)
    get_statement, set_statement = mo.state(visit.now.statement)
    get_address, set_address = mo.state(None)
    visit.report_to(set_run, set_rested)
    panel.header(room.PAGE.room, room.PAGE.lead)
    return (
        get_address,
        get_pin,
        get_point,
        get_rested,
        get_run,
        get_statement,
        screen,
        set_address,
        set_pin,
        set_point,
        set_statement,
        visit,
    )


@app.cell(hide_code=True)
def _(get_point):
    # A cell of its own: a button's setter does not run again the cell that holds both the button and the getter.
    point = get_point()
    return (point,)


@app.cell(hide_code=True)
def _(get_address):
    # Written when the controls rest: each change of the address costs the browser more than the picture does.
    if get_address() is not None:
        controls.write_address(mo.query_params(), get_address())
    return


@app.cell(hide_code=True)
def _(get_statement, picker):
    panel.statement(*get_statement(), picker)
    return


@app.cell(hide_code=True)
def _(point, set_pin, set_point, visit):
    sliders, picker, presets, breaking, buttons, cancel = cards.play_controls(visit, point, set_point, set_pin)
    cards.dock(room.PAGE, sliders, presets, buttons)
    return breaking, buttons, cancel, picker, presets, sliders


@app.cell(hide_code=True)
def _(cancel, get_pin, get_run, point, screen, sliders, visit):
    # All that happens between a slider move and its picture: every further cell would cost milliseconds.
    _now = visit.follow(point, sliders.value)
    run = visit.run(get_run)
    talk = room.talk(_now, run, screen, get_run())
    visit.shown = page.Pinned(talk, _now.params, run.result)
    cards.stage(room.PAGE, _now, (talk.html,), run, cancel, get_pin())
    return run, talk


@app.cell(hide_code=True)
def _(get_statement, point, set_address, set_statement, sliders, visit):
    # What can wait until the picture is drawn.
    _now = visit.follow(point, sliders.value)
    if _now.statement != get_statement():
        set_statement(_now.statement)
    visit.measure(lambda: set_address(visit.address(point, None)))
    return


@app.cell(hide_code=True)
def _(get_rested, visit):
    # The sections below follow when the controls rest, so that the picture above can follow the hand.
    rested = visit.rested(get_rested())
    return (rested,)


@app.cell(hide_code=True)
def _():
    figure_picker = mo.ui.dropdown(tests.TESTS, value="Learning curves and residuals", label="Show")
    train = mo.ui.run_button(label=f"Train {tests.network_cost()}")
    get_test, set_test = mo.state(panel.Run())
    get_networks, set_networks = mo.state(panel.Run())
    get_paper, set_paper = mo.state(panel.Run())
    return figure_picker, get_networks, get_paper, get_test, set_networks, set_paper, set_test, train


@app.cell(hide_code=True)
def _(figure_picker, rested, set_test):
    test_key = tests.start(figure_picker.value, rested, set_test)
    return (test_key,)


@app.cell(hide_code=True)
def _(figure_picker, get_test, rested, screen, test_key):
    test = tests.figure(figure_picker.value, panel.current(get_test(), test_key), screen)
    judged = page.claim_figure(rested.run, screen)
    mo.vstack([panel.section("Test", prose.TEST), cards.test_card(figure_picker, test, judged, rested.run, ())])
    return judged, test


@app.cell(hide_code=True)
def _(set_networks, train):
    tests.train_networks(train.value, set_networks)
    return


@app.cell(hide_code=True)
def _(get_networks, screen, train):
    _run = get_networks()
    networks = tests.figure("networks", _run, screen)
    tests.networks_card(train, _run, networks)
    return (networks,)


@app.cell(hide_code=True)
def _(breaking):
    mo.vstack([panel.section("Break it", prose.BREAK_IT), cards.break_card(breaking, tests.questions())])
    return


@app.cell(hide_code=True)
def _(rested, set_paper):
    paper_key = tests.start("paper", rested, set_paper)
    return (paper_key,)


@app.cell(hide_code=True)
def _(get_paper, paper_key):
    mo.vstack(
        [
            panel.section("Why", prose.WHY),
            cards.derivation(prose.DERIVATION),
            tests.paper_card(panel.current(get_paper(), paper_key)),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    pasted = mo.ui.text_area(
        placeholder="Paste a table of numbers here, a column named label if there is one …",
        rows=5,
        full_width=True,
        label="Your features",
    )
    uploaded = mo.ui.file(max_size=own.MAX_UPLOAD, label="or upload a file (CSV, NPZ, NPY)")
    example = mo.ui.dropdown(own.EXAMPLES, value=next(iter(own.EXAMPLES)), label="or look at")
    chosen = mo.ui.number(0, 100_000, value=0, debounce=True, label="Samples <i>n</i> of the advice (0: choose for me)")
    get_study, set_study = mo.state(panel.Run())
    return chosen, example, get_study, pasted, set_study, uploaded


@app.cell(hide_code=True)
def _(chosen, example, pasted, set_study, uploaded):
    _source = own.source_of(pasted.value, uploaded.value)
    study_key = own.key_of(_source, example.value, chosen.value)
    panel.run_in_background(study_key, own.job(_source, example.value, chosen.value), set_study)
    return (study_key,)


@app.cell(hide_code=True)
def _(chosen, example, get_study, pasted, screen, study_key, uploaded):
    study_run = panel.current(get_study(), study_key)
    own_spectrum = own.spectrum_figure(study_run, screen)
    own_curve = own.curve_figure(study_run, screen)
    _inputs = (pasted, uploaded, example, chosen)
    _found = own.found(study_run, own_spectrum, own_curve)
    mo.vstack(
        [
            panel.section("Your data", prose.YOUR_DATA),
            cards.own_card("Features of your own", _inputs, study_run, _found),
        ]
    )
    return own_curve, own_spectrum, study_run


@app.cell(hide_code=True)
def _(judged, networks, own_curve, own_spectrum, rested, screen, test):
    _talk = room.talk(rested, rested.run, screen)
    _shown = (_talk, judged, test, networks, own_spectrum, own_curve)
    mo.vstack([panel.section("Export", prose.EXPORT), cards.export_card(room.PAGE.room, rested.run, _shown)])
    return


if __name__ == "__main__":
    app.run()
