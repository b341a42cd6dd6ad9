import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="full",
    app_title="Theorem Bench · attention as a Markov chain",
    css_file="../widgets/static/bench.css",
    html_head_file="../widgets/static/head.html",
)

with app.setup:
    import marimo as mo

    from widgets.ccmc import own, prose
    from widgets.ccmc import page as room
    from widgets.ccmc import sections as tests
    from widgets.kit import cards, controls, page, panel, sources


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
    editor = room.editor(point)
    cards.dock(room.PAGE, sliders, presets, buttons, room.editor_part(editor))
    return breaking, buttons, cancel, editor, picker, presets, sliders


@app.cell(hide_code=True)
def _(cancel, editor, get_pin, get_run, point, screen, sliders, visit):
    # All that happens between a slider move and its picture: every further cell would cost milliseconds.
    _now = visit.follow(point, room.moved(sliders.value, editor))
    run = visit.run(get_run)
    talk = room.talk(_now, run, screen)
    visit.shown = page.Pinned(talk, _now.params, run.result)
    cards.stage(room.PAGE, _now, (talk.html,), run, cancel, get_pin())
    return run, talk


@app.cell(hide_code=True)
def _(editor, get_statement, point, screen, set_address, set_statement, sliders, visit):
    # What can wait until the picture is drawn.
    _now = visit.follow(point, room.moved(sliders.value, editor))
    room.follow(editor, _now, screen)
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
    cures_on = room.switches()
    return (cures_on,)


@app.cell(hide_code=True)
def _(cures_on, rested, screen):
    room.text_card(rested, cures_on, screen)
    return


@app.cell(hide_code=True)
def _():
    figure_picker = mo.ui.dropdown(tests.TESTS, value="Learning P from one text", label="Show")
    get_test, set_test = mo.state(panel.Run())
    get_cured, set_cured = mo.state(panel.Run())
    return figure_picker, get_cured, get_test, set_cured, set_test


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
def _(rested, set_cured):
    cured_key = tests.start("cures", rested, set_cured)
    return (cured_key,)


@app.cell(hide_code=True)
def _(breaking, cured_key, get_cured, screen):
    cures = tests.figure("cures", panel.current(get_cured(), cured_key), screen)
    mo.vstack([panel.section("Break it", prose.BREAK_IT), tests.break_card(breaking, cures)])
    return (cures,)


@app.cell(hide_code=True)
def _(rested):
    mo.vstack(
        [
            panel.section("Why", prose.WHY),
            cards.derivation(prose.DERIVATION),
            panel.card(tests.equality(rested.problem)),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    pasted = mo.ui.text_area(
        placeholder="Paste a text, a matrix or a log here …", rows=5, full_width=True, label="Your data"
    )
    uploaded = mo.ui.file(max_size=sources.MAX_UPLOAD, label="or upload a file (text, CSV, JSON, NPY, JSONL)")
    form = mo.ui.radio(own.FORMS, value="Text", label="Read as")
    window = mo.ui.slider(
        2, 32, value=8, debounce=True, show_value=True, full_width=True, label="Prompt length <i>L</i>"
    )
    get_study, set_study = mo.state(panel.Run())
    return form, get_study, pasted, set_study, uploaded, window


@app.cell(hide_code=True)
def _(form, pasted, set_study, uploaded, window):
    _source = sources.source_of(pasted.value, uploaded.value)
    study_key = _source.key(form.value, window.value)
    panel.run_in_background(study_key, own.job(_source, form.value, window.value), set_study)
    return (study_key,)


@app.cell(hide_code=True)
def _(form, get_study, pasted, screen, study_key, uploaded, window):
    study_run = panel.current(get_study(), study_key)
    own_growth = own.growth_figure(study_run, screen)
    own_coverage = own.coverage_figure(study_run, screen)
    _inputs = (pasted, uploaded, form, window)
    _found = own.found(study_run, own_growth, own_coverage)
    mo.vstack(
        [
            panel.section("Your data", prose.YOUR_DATA),
            cards.own_card("A chain, a text or a log of your own", _inputs, study_run, _found),
        ]
    )
    return own_coverage, own_growth, study_run


@app.cell(hide_code=True)
def _(cures, judged, own_coverage, own_growth, rested, screen, test):
    _talk = room.talk(rested, rested.run, screen)
    _shown = (_talk, judged, test, cures, own_growth, own_coverage)
    mo.vstack([panel.section("Export", prose.EXPORT), cards.export_card(room.PAGE.room, rested.run, _shown)])
    return


if __name__ == "__main__":
    app.run()
