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
    get_point, set_point = mo.state(controls.from_address(room, _query, page.HOME))
    get_last, set_last = mo.state(get_point().last, allow_self_loops=True)
    get_run, set_run = mo.state(panel.Run())
    get_rested, set_rested = mo.state(panel.Run())
    get_pin, set_pin = mo.state(None)
    get_chips, set_chips = mo.state(None)
    get_address, set_address = mo.state(None)
    kept = page.start(room, get_point())
    panel.header(room, prose.LEAD)
    return (
        get_address,
        get_chips,
        get_last,
        get_pin,
        get_point,
        get_rested,
        get_run,
        kept,
        room,
        screen,
        set_address,
        set_chips,
        set_last,
        set_pin,
        set_point,
        set_rested,
        set_run,
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
def _(get_chips, kept, picker):
    panel.statement(*(get_chips() or kept["claimed"]), picker)
    return


@app.cell(hide_code=True)
def _(kept, point, room, set_pin, set_point):
    sliders = controls.build(room, point)
    breaking = controls.presets(room, point, set_point, breaking=True)
    cancel = mo.ui.button(label="cancel", on_change=lambda _: kept["stopped"].set())
    picker = controls.claim_picker(room, point, lambda: sliders.value, set_point)
    presets = controls.presets(room, point, set_point, breaking=False)
    reset = mo.ui.button(label="Reset", on_change=lambda _: set_point(controls.Point(page.HOME)))
    pin = mo.ui.button(
        label="Pin / unpin",
        tooltip="keep this figure in view while the sliders move",
        on_change=lambda _: set_pin(lambda pinned: None if pinned else kept["shown"]),
    )
    cards.dock(controls.layout(room, sliders, page.SLIDERS, cards.footer(presets, reset, pin)))
    return breaking, cancel, picker, pin, presets, reset, sliders


@app.cell(hide_code=True)
def _(get_last, kept, point, room, set_address, set_chips, set_rested, set_run, sliders):
    # This cell and the next are all that runs while a slider moves: every further cell would cost milliseconds.
    _claim = controls.claim_of(room, point.claim)
    _wanted, _moved = controls.settle(room, point, sliders.value)
    params, problem, _trouble = page.draw(room, _wanted, kept)
    _claimed = (_claim, _claim.assumptions(params, problem))
    if _claimed != kept.get("claimed"):
        kept["claimed"] = _claimed
        set_chips(_claimed)
    key = page.key_of(_claim, params, problem)
    kept["stopped"] = threading.Event()
    panel.run_in_background(
        key,
        page.job(_claim, params, problem),
        panel.also_when_over(set_run, set_rested),
        kept["stopped"],
        (params, problem),
        lambda _: set_address(controls.address(room, replace(point, last=get_last()), params, page.HOME)),
    )
    said = (*point.notes, *_moved, *_trouble)
    return key, params, problem, said


@app.cell(hide_code=True)
def _(cancel, get_last, get_pin, get_run, kept, key, params, problem, room, said, screen, set_last):
    run = get_run() if get_run().key == key else panel.Run(key)
    _last = page.last_of(problem, get_last())
    last = page.last_picker(problem, _last, set_last)
    talk = page.talk(problem, _last, params, run, screen)
    kept["shown"] = cards.Pinned(talk, params, run.result)
    cards.stage(
        controls.hide_idle(room, params),
        panel.notes(said),
        last,
        talk,
        panel.progress(run, cancel),
        panel.verdict(run),
        get_pin(),
    )
    return last, run, talk


@app.cell(hide_code=True)
def _(get_last, get_rested, kept):
    # The sections below follow when the controls rest, so that the picture above can follow the hand.
    rested = get_rested()
    rested_params, rested_problem = rested.subject or kept["found"]
    rested_last = page.last_of(rested_problem, get_last())
    return rested, rested_last, rested_params, rested_problem


@app.cell(hide_code=True)
def _():
    figure_picker = mo.ui.dropdown(tests.TESTS, value="Direction", label="Show")
    return (figure_picker,)


@app.cell(hide_code=True)
def _(figure_picker, rested_last, rested_params, rested_problem, rested, screen):
    test = tests.test_figure(figure_picker.value, rested_problem, rested_last, rested, screen)
    mo.vstack(
        [panel.section("Test", prose.TEST), cards.test_card(figure_picker, test, rested, rested_problem, rested_params)]
    )
    return (test,)


@app.cell(hide_code=True)
def _(breaking, rested_last, rested_params, rested_problem, screen):
    phases = tests.phase_map(rested_params, screen)
    mo.vstack(
        [
            panel.section("Break it", prose.BREAK_IT),
            cards.break_card(breaking, tests.contradictions(rested_problem, rested_last), phases),
        ]
    )
    return (phases,)


@app.cell(hide_code=True)
def _(rested_problem, rested):
    mo.vstack([panel.section("Why", prose.WHY), prose.derivation(), panel.card(tests.equality(rested_problem, rested))])
    return


@app.cell(hide_code=True)
def _():
    get_prompt, set_prompt = mo.state(())
    return get_prompt, set_prompt


@app.cell(hide_code=True)
def _(get_prompt, rested_problem, set_prompt):
    tokens = own.token_buttons(rested_problem, get_prompt, set_prompt)
    clear = mo.ui.button(label="clear", on_change=lambda _: set_prompt(()))
    return clear, tokens


@app.cell(hide_code=True)
def _(clear, get_prompt, rested_last, rested_params, rested_problem, rested, screen, tokens):
    prompt = own.usual_prompt(rested_problem, get_prompt(), rested_last)
    playground, _said = own.playground(rested_problem, prompt, rested, rested_params.data_seed, screen)
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
def _(
    automaton, phases, playground, rested, rested_last, rested_params, rested_problem, room, screen, test, text_figure
):
    _talk = page.talk(rested_problem, rested_last, rested_params, rested, screen)
    _shown = (_talk, test, phases, playground, text_figure, automaton)
    mo.vstack([panel.section("Export", prose.EXPORT), cards.export_card(room, rested, _shown)])
    return


if __name__ == "__main__":
    app.run()
