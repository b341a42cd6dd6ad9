import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="full",
    app_title="Theorem Bench · next-token prediction",
    css_file="../widgets/static/bench.css",
    html_head_file="../widgets/static/head.html",
)

with app.setup:
    import marimo as mo

    from widgets.kit import cards, controls, page, panel, sources
    from widgets.next_token import own, prose
    from widgets.next_token import page as room
    from widgets.next_token import sections as tests


@app.cell(hide_code=True)
def _():
    _query = mo.query_params().to_dict()
    screen = page.Screen.of(_query)
    visit = page.Visit.of(room.PAGE, _query)
    get_point, set_point = mo.state(visit.point)
    get_last, set_last = mo.state(visit.point.shown, allow_self_loops=True)
    get_run, set_run = mo.state(panel.Run())
    get_rested, set_rested = mo.state(panel.Run())
    get_pin, set_pin = mo.state(None)
    get_statement, set_statement = mo.state(visit.now.statement)
    get_address, set_address = mo.state(None)
    visit.report_to(set_run, set_rested)
    panel.header(room.PAGE.room, room.PAGE.lead)
    return (
        get_address,
        get_last,
        get_pin,
        get_point,
        get_rested,
        get_run,
        get_statement,
        screen,
        set_address,
        set_last,
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
def _(cancel, get_last, get_pin, get_run, point, screen, set_last, sliders, visit):
    # All that happens between a slider move and its picture: every further cell would cost milliseconds.
    _now = visit.follow(point, sliders.value)
    run = visit.run(get_run)
    _last = room.last_of(_now.problem, get_last())
    last = room.last_picker(_now.problem, _last, set_last)
    talk = room.talk(_now, run, screen, _last)
    visit.shown = page.Pinned(talk, _now.params, run.result)
    cards.stage(room.PAGE, _now, (cards.choice(last), talk.html), run, cancel, get_pin())
    return last, run, talk


@app.cell(hide_code=True)
def _(get_last, get_statement, point, set_address, set_statement, sliders, visit):
    # What can wait until the picture is drawn.
    _now = visit.follow(point, sliders.value)
    if _now.statement != get_statement():
        set_statement(_now.statement)
    visit.measure(lambda: set_address(visit.address(point, get_last())))
    return


@app.cell(hide_code=True)
def _(get_last, get_rested, visit):
    # The sections below follow when the controls rest, so that the picture above can follow the hand.
    rested = visit.rested(get_rested())
    rested_last = room.last_of(rested.problem, get_last())
    return rested, rested_last


@app.cell(hide_code=True)
def _():
    figure_picker = mo.ui.dropdown(tests.TESTS, value="Direction", label="Show")
    return (figure_picker,)


@app.cell(hide_code=True)
def _(figure_picker, rested, rested_last, screen):
    test = tests.test_figure(figure_picker.value, rested, rested_last, screen)
    judged = page.claim_figure(rested.run, screen)
    mo.vstack(
        [
            panel.section("Test", prose.TEST),
            cards.test_card(figure_picker, test, judged, rested.run, tests.files(rested)),
        ]
    )
    return judged, test


@app.cell(hide_code=True)
def _(breaking, rested, rested_last, screen):
    phases = tests.phase_map(rested.params, screen)
    _contradicting = tests.contradictions(rested.problem, rested_last)
    mo.vstack([panel.section("Break it", prose.BREAK_IT), tests.break_card(breaking, _contradicting, phases)])
    return (phases,)


@app.cell(hide_code=True)
def _(rested):
    mo.vstack([panel.section("Why", prose.WHY), cards.derivation(prose.DERIVATION), panel.card(tests.equality(rested))])
    return


@app.cell(hide_code=True)
def _():
    get_prompt, set_prompt = mo.state(())
    return get_prompt, set_prompt


@app.cell(hide_code=True)
def _(get_prompt, rested, set_prompt):
    tokens = own.token_buttons(rested.problem, get_prompt, set_prompt)
    clear = mo.ui.button(label="clear", on_change=lambda _: set_prompt(()))
    return clear, tokens


@app.cell(hide_code=True)
def _(clear, get_prompt, rested, rested_last, screen, tokens):
    _prompt = own.usual_prompt(rested.problem, get_prompt(), rested_last)
    playground, _said = own.playground(rested, _prompt, screen)
    mo.vstack([panel.section("Your data", prose.YOUR_DATA), own.playground_card(tokens, clear, playground, _said)])
    return (playground,)


@app.cell(hide_code=True)
def _():
    pasted = mo.ui.text_area(placeholder="Paste a text here …", rows=5, full_width=True, label="Your text")
    uploaded = mo.ui.file(max_size=sources.MAX_UPLOAD, label="or upload a file (text, JSONL)")
    form = mo.ui.radio(own.FORMS, value="Words", label="Read as")
    window = mo.ui.slider(2, 32, value=8, debounce=True, show_value=True, full_width=True, label="Window <i>T</i>")
    get_study, set_study = mo.state(panel.Run())
    get_word, set_word = mo.state(None)
    return form, get_study, get_word, pasted, set_study, set_word, uploaded, window


@app.cell(hide_code=True)
def _(form, pasted, set_study, uploaded, window):
    _source = sources.source_of(pasted.value, uploaded.value)
    study_key = _source.key(form.value, window.value)
    panel.run_in_background(study_key, own.text_job(_source, form.value, window.value), set_study)
    return (study_key,)


@app.cell(hide_code=True)
def _(form, get_study, pasted, screen, study_key, uploaded, window):
    study_run = panel.current(get_study(), study_key)
    text_figure = own.study_figure(study_run, screen)
    _found = own.found(study_run, text_figure)
    cards.own_card("A text of your own", (pasted, uploaded, form, window), study_run, _found)
    return study_run, text_figure


@app.cell(hide_code=True)
def _(get_word, set_word, study_run):
    word = own.automaton_picker(study_run, get_word(), set_word)
    return (word,)


@app.cell(hide_code=True)
def _(screen, study_run, word):
    automaton = own.automaton_figure(study_run, word, screen)
    own.automaton_card(study_run, word, automaton)
    return (automaton,)


@app.cell(hide_code=True)
def _(automaton, judged, phases, playground, rested, rested_last, screen, test, text_figure):
    _talk = room.talk(rested, rested.run, screen, rested_last)
    _shown = (_talk, judged, test, phases, playground, text_figure, automaton)
    mo.vstack([panel.section("Export", prose.EXPORT), cards.export_card(room.PAGE.room, rested.run, _shown)])
    return


if __name__ == "__main__":
    app.run()
