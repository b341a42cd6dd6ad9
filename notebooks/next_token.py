import marimo

__generated_with = "0.25.2"
app = marimo.App(
    width="full",
    app_title="Theorem Bench · next-token prediction",
    css_file="../widgets/static/bench.css",
    html_head_file="../widgets/static/head.html",
)

with app.setup:
    import threading
    from dataclasses import replace

    import marimo as mo

    from theory import catalog
    from widgets import controls, panel
    from widgets.rooms import next_token as page
    from widgets.rooms import next_token_cards as cards
    from widgets.rooms import next_token_data as own
    from widgets.rooms import next_token_prose as prose
    from widgets.rooms import next_token_tests as tests


@app.cell(hide_code=True)
def _():
    room = catalog.room("next_token")
    _query = mo.query_params().to_dict()
    screen = page.Screen.of(_query)
    get_point, set_point = mo.state(controls.from_address(room, _query, page.HOME, page.OPENING))
    get_last, set_last = mo.state(get_point().last)
    get_run, set_run = mo.state(panel.Run())
    get_pin, set_pin = mo.state(None)
    kept = {}
    panel.header(room, prose.LEAD)
    return get_last, get_pin, get_point, get_run, kept, room, screen, set_last, set_pin, set_point, set_run


@app.cell(hide_code=True)
def _(get_point):
    # A cell of its own: a button's setter does not run again the cell that holds both the button and the getter.
    point = get_point()
    return (point,)


@app.cell(hide_code=True)
def _(point, room, set_point):
    sliders = controls.build(room, point)
    presets = controls.presets(room, point, set_point, breaking=False)
    breaking = controls.presets(room, point, set_point, breaking=True)
    reset = mo.ui.button(label="Reset", on_change=lambda _: set_point(controls.Point(page.HOME, values=page.OPENING)))
    picker = controls.claim_picker(room, point, lambda: sliders.value, set_point)
    return breaking, picker, presets, reset, sliders


@app.cell(hide_code=True)
def _(get_last, kept, point, room, sliders):
    claim = controls.claim_of(room, point.claim)
    _wanted, _moved = controls.settle(room, point, sliders.value)
    params, problem, _trouble = page.draw(room, _wanted, kept)
    controls.write_address(
        mo.query_params(), controls.address(room, replace(point, last=get_last()), params, page.HOME)
    )
    panel.notes((*point.notes, *_moved, *_trouble))
    return claim, params, problem


@app.cell(hide_code=True)
def _(claim, params, picker, problem):
    panel.statement(claim, claim.assumptions(params, problem), picker)
    return


@app.cell(hide_code=True)
def _(claim, params, problem, set_run):
    _stopped = threading.Event()
    key = page.key_of(claim, params, problem)
    panel.run_in_background(key, page.job(claim, params, problem), set_run, _stopped)
    cancel = mo.ui.button(label="cancel", on_change=lambda _: _stopped.set())
    return cancel, key


@app.cell(hide_code=True)
def _(get_last, problem, set_last):
    last = page.last_picker(problem, get_last(), set_last)
    return (last,)


@app.cell(hide_code=True)
def _(get_run, key):
    run = get_run() if get_run().key == key else panel.Run(key)
    return (run,)


@app.cell(hide_code=True)
def _(last, params, problem, run, screen):
    talk = page.talk(problem, last.value, params, run, screen)
    return (talk,)


@app.cell(hide_code=True)
def _(params, run, set_pin, talk):
    pin = mo.ui.button(
        label="Pin / unpin",
        tooltip="keep this figure in view while the sliders move",
        on_change=lambda _: set_pin(lambda kept: None if kept else cards.Pinned(talk, params, run.result)),
    )
    return (pin,)


@app.cell(hide_code=True)
def _(cancel, get_pin, last, pin, presets, reset, room, run, sliders, talk):
    _side = controls.layout(room, sliders, page.SLIDERS, footer=cards.footer(presets, reset, pin))
    cards.play(_side, last, talk, panel.progress(run, cancel), panel.verdict(run), get_pin())
    return


@app.cell(hide_code=True)
def _():
    figure_picker = mo.ui.dropdown(tests.TESTS, value="Direction", label="Show")
    return (figure_picker,)


@app.cell(hide_code=True)
def _(figure_picker, last, params, problem, run, screen):
    test = tests.test_figure(figure_picker.value, problem, last.value, run, screen)
    mo.vstack([panel.section("Test", prose.TEST), cards.test_card(figure_picker, test, run, problem, params)])
    return (test,)


@app.cell(hide_code=True)
def _(breaking, last, params, problem, screen):
    phases = tests.phase_map(params, screen)
    mo.vstack(
        [
            panel.section("Break it", prose.BREAK_IT),
            cards.break_card(breaking, tests.contradictions(problem, last.value), phases),
        ]
    )
    return (phases,)


@app.cell(hide_code=True)
def _(problem, run):
    mo.vstack([panel.section("Why", prose.WHY), prose.derivation(), panel.card(tests.equality(problem, run))])
    return


@app.cell(hide_code=True)
def _():
    get_prompt, set_prompt = mo.state(())
    return get_prompt, set_prompt


@app.cell(hide_code=True)
def _(get_prompt, problem, set_prompt):
    tokens = own.token_buttons(problem, get_prompt, set_prompt)
    clear = mo.ui.button(label="clear", on_change=lambda _: set_prompt(()))
    return clear, tokens


@app.cell(hide_code=True)
def _(clear, get_prompt, last, params, problem, run, screen, tokens):
    prompt = own.usual_prompt(problem, get_prompt(), last.value)
    playground, _said = own.playground(problem, prompt, run, params.data_seed, screen)
    mo.vstack([panel.section("Your data", prose.YOUR_DATA), own.playground_card(tokens, clear, playground, _said)])
    return (playground,)


@app.cell(hide_code=True)
def _():
    pasted = mo.ui.text_area(placeholder="Paste a text here …", rows=5, full_width=True, label="Your text")
    uploaded = mo.ui.file(max_size=own.MAX_UPLOAD, label="or upload a file (text, JSONL)")
    form = mo.ui.radio(own.FORMS, value="Words", label="Read as")
    window = mo.ui.slider(2, 32, value=8, debounce=True, show_value=True, full_width=True, label="Window <i>T</i>")
    get_study, set_study = mo.state(panel.Run())
    get_word, set_word = mo.state(None)
    return form, get_study, get_word, pasted, set_study, set_word, uploaded, window


@app.cell(hide_code=True)
def _(form, pasted, set_study, uploaded, window):
    _content, _source = own.content_of(pasted.value, uploaded.value)
    study_key = own.text_key(_content, form.value, window.value)
    panel.run_in_background(study_key, own.text_job(_content, _source, form.value, window.value), set_study)
    return (study_key,)


@app.cell(hide_code=True)
def _(form, get_study, pasted, screen, study_key, uploaded, window):
    study_run = get_study() if get_study().key == study_key else panel.Run(study_key)
    text_figure = own.study_figure(study_run, screen)
    own.text_card(pasted, uploaded, form, window, study_run, text_figure)
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
def _(automaton, phases, playground, room, run, talk, test, text_figure):
    _shown = (talk, test, phases, playground, text_figure, automaton)
    mo.vstack([panel.section("Export", prose.EXPORT), cards.export_card(room, run, _shown)])
    return


if __name__ == "__main__":
    app.run()
