"""The page's own script, beside Bokeh's: text, clocks, keys of the tabs, the address, and reconnecting.

* It writes the text that `words.py` sends, and counts ages and the clock up.
* What is done in a table goes to the server as the value of model `acted`, "<number> <verb> <key>": the verb and key
  of an element with `data-act` (click, Enter, Space); of a row with `data-pick` draw (click, Enter), toggle (Space) and
  pin (P). The arrows, Home and End go from row to row, of which one is
  reached by Tab; a row that is dragged to a plot is drawn there too. Of a
  row with `data-to` the key becomes the value of the model of that name (click, Enter, Space).
* It loads scripts that a look needs beside those of each page (`extra_scripts.py`).
* Tabs have roles; Tab, Enter, Space, the arrows, Home and End reach and open them.
* What the page shows is kept in the address (`selection.py`), so that a reload shows the same; another look, stream or
  drawn parameter is a step for the back button.
* When the connection to the server is lost it shows a bar over the page, retries with backoff, and loads the page again
  once the server answers. Bokeh's own reconnection is off: it gives up after 30 s, its token expires after 5 minutes,
  and the server drops the session of a lost page after 10 s.
"""

SCRIPT = """
{
  const shown = new WeakMap()
  const duration = (s) => {
    for (const [unit, n] of [["d", 86400], ["h", 3600], ["min", 60]])
      if (s >= 2 * n) return `${Math.round(s / n)} ${unit}`
    return `${Math.round(Math.max(s, 0))} s`
  }
  const elapsed_s = (one) => (Date.now() - one.written_ms) / 1000
  const update = (one) => {
    let text
    if (one.dataset.utc != null) {
      text = new Date(1000 * (Number(one.dataset.utc) + elapsed_s(one))).toISOString().slice(0, 19).replace("T", " ")
    } else {
      const age_s = Number(one.dataset.age) + elapsed_s(one)
      text = duration(age_s)
      one.classList.toggle("stale", age_s > Number(one.dataset.stale ?? Infinity))
    }
    if (one.textContent !== text) one.textContent = text
  }
  const pickers = new WeakSet()
  let by_key = null  // the row chosen by key: it keeps the focus when the page is laid out or the table written anew
  addEventListener("pointerdown", () => { by_key = null }, true)
  addEventListener("keydown", (event) => { if (event.key === "Tab") by_key = null }, true)
  const keep_focus = (element) => {
    if (by_key == null || document.activeElement !== document.body) return
    [...element.querySelectorAll(ROWS)].find((one) => name_of(one) === by_key)?.focus()
  }
  let n_acts = 0
  const act = (what) => {
    const model = Bokeh.documents[0].get_model_by_name("acted")
    if (model != null) model.value = `${++n_acts} ${what}`
  }
  const done = (element, verb = "draw") => {
    const {act: what, pick, to} = element.dataset
    if (what != null) return act(what)
    if (to == null) return act(`${verb} ${pick}`)
    const models = [...Bokeh.documents[0]._all_models.values()]  // a look that was dropped may still be among them
    const model = models.findLast((one) => one.name === to)
    if (model != null) model.value = pick
  }
  const ROWS = "[data-pick], tr[data-act]"
  const name_of = (row) => row?.dataset.pick ?? row?.dataset.act
  const verbs = {Enter: "draw", " ": "toggle", p: "pin", P: "pin"}
  const stops = new WeakMap()  // of each table, the name of the row that Tab comes to
  const one_stop = (element, name) => {  // Tab leaves a table at once: the arrows go through its rows
    const rows = [...element.querySelectorAll(ROWS)]
    const stop = rows.find((one) => name_of(one) === name) ?? rows[0]
    for (const one of rows) one.tabIndex = one === stop ? 0 : -1
  }
  const row_reached = (event) => {
    const name = name_of(event.target.closest?.(ROWS))
    if (name == null) return
    stops.set(event.currentTarget, name)
    one_stop(event.currentTarget, name)
  }
  const clicked = (event) => {
    const found = event.target.closest?.("[data-act], [data-pick]")
    if (found != null) done(found)
  }
  const key_in_table = (event) => {
    const row = event.target.closest?.(ROWS)
    if (row == null || event.target !== row || event.ctrlKey || event.altKey || event.metaKey) return
    const rows = [...row.getRootNode().querySelectorAll(ROWS)]
    const place = rows.indexOf(row)
    const to = {ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1}[event.key]
    if (to != null) rows[to]?.focus()
    else if (event.key in verbs) done(row, verbs[event.key])
    else return
    event.preventDefault()
    by_key = name_of(row.getRootNode().activeElement.closest(ROWS))
  }
  const pickable = (element) => {
    if (pickers.has(element)) return
    pickers.add(element)
    element.addEventListener("click", clicked)
    element.addEventListener("keydown", key_in_table)
    element.addEventListener("focusin", row_reached)
    element.addEventListener("dragstart", (event) => {
      const row = event.target.closest?.("[data-pick]")
      if (row != null) event.dataTransfer.setData("text/x-parameter", row.dataset.pick)
    })
  }
  const is_plot = (event) => event.dataTransfer?.types.includes("text/x-parameter") &&
    event.composedPath().some((one) => one.classList?.contains("drop-parameters"))
  addEventListener("dragover", (event) => { if (is_plot(event)) event.preventDefault() })
  addEventListener("drop", (event) => {
    if (!is_plot(event)) return
    event.preventDefault()
    act(`add ${event.dataTransfer.getData("text/x-parameter")}`)
  })
  let laying_out = false
  const lay_out = (view) => {  // figures beside text have another height now; once for all texts of a moment
    if (laying_out) return
    laying_out = true
    requestAnimationFrame(() => {
      laying_out = false
      let focused = document.activeElement
      while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
      view.invalidate_layout()
      if (document.activeElement === document.body) focused?.focus({preventScroll: true})  // it was drawn anew
    })
  }
  const views = new WeakMap()
  const view_of = (model) => {  // a search passes all views of the page, and this is asked often
    const known = views.get(model)
    if (known != null && !known.is_destroyed) return known
    const found = Bokeh.index.find_one(model)
    views.set(model, found)
    return found
  }
  globalThis.write_words = (model) => {
    const view = view_of(model), element = view?.markup_el
    if (element == null) return
    if (shown.get(element) !== model.tags[0]) {
      const focused = name_of(element.getRootNode().activeElement)
      const height = model.tags[1] ? view.el.offsetHeight : 0
      element.innerHTML = model.tags[0]
      if (model.tags[1] && view.el.offsetHeight !== height) lay_out(view)
      shown.set(element, model.tags[0])
      pickable(element)
      const rows = focused == null ? [] : [...element.querySelectorAll("[data-pick], [data-act]")]
      rows.find((one) => name_of(one) === focused)?.focus()
      one_stop(element, stops.get(element))
      for (const one of element.querySelectorAll("time")) one.written_ms = Date.now()
    }
    keep_focus(element)
    for (const one of element.querySelectorAll("time")) update(one)
  }

  const loading = new Set()
  globalThis.load_scripts = () => {
    const [wanted, there] = ["wanted", "loaded"].map((one) => Bokeh.documents[0].get_model_by_name(`scripts_${one}`))
    for (const address of wanted?.value.split(" ") ?? []) {
      if (address === "" || loading.has(address)) continue
      loading.add(address)
      const script = document.createElement("script")
      script.src = address
      script.onload = () => {  // BokehJS asks for TeX once, with its first text
        Bokeh.require("models/text/providers").default_provider.status = "not_started"
        there.value = `${there.value} ${address}`.trim()
      }
      script.onerror = () => { script.remove(); loading.delete(address) }  // it is tried again
      document.head.append(script)
    }
  }

  const keys = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}
  const key_pressed = (event, all, model) => {
    const tabs = all.filter((tab) => tab.style.display !== "none")
    const at = tabs.indexOf(event.target)
    const to = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1
      : event.key in keys ? (at + keys[event.key] + tabs.length) % tabs.length
      : event.key === "Enter" || event.key === " " ? at : -1
    if (at < 0 || to < 0) return
    event.preventDefault()
    tabs[to].focus()
    model.active = all.indexOf(tabs[to])
  }
  const name_tabs = (model) => {
    const tabs = view_of(model)?.header_els
    if (!tabs?.length) return
    const list = tabs[0].parentElement
    if (list.role !== "tablist") {
      list.role = "tablist"
      list.ariaLabel = "looks"
      list.addEventListener("keydown", (event) => key_pressed(event, view_of(model).header_els, model))
    }
    const hidden = model.tags[0] ?? []  // looks whose products never came
    tabs.forEach((tab, i) => {
      const display = hidden.includes(i) ? "none" : ""
      if (tab.style.display !== display) tab.style.display = display
      const selected = String(i === model.active)
      if (tab.ariaSelected === selected) return
      tab.role = "tab"
      tab.tabIndex = 1  // before what the looks hold, which may be many rows
      tab.ariaSelected = selected
    })
  }

  let lost = false
  const places = (query) => {  // what is a step of its own for the back button
    const asked = new URLSearchParams(query)
    return JSON.stringify([asked.get("look"), asked.get("stream"), asked.getAll("p")])
  }
  let is_answer = true  // the address that the server writes next stands for the one that was asked for
  globalThis.keep_address = () => {
    const [address, goes_to] = ["address", "goes_to"].map((name) => Bokeh.documents[0].get_model_by_name(name))
    if (lost || address == null || address.value === "" || goes_to.value !== "") return
    const is_step = !is_answer && places(location.search) !== places(address.value)
    is_answer = false
    if (`?${address.value}` !== location.search)
      history[is_step ? "pushState" : "replaceState"](null, "", `?${address.value}`)
  }
  addEventListener("popstate", () => {
    const goes_to = globalThis.Bokeh?.documents?.[0]?.get_model_by_name("goes_to")
    if (goes_to == null) return
    is_answer = true
    goes_to.value = location.search || "?"  // the server answers with an address, then empties this
  })

  const reconnect = async (pause_ms = 500) => {
    try {
      const answer = await fetch("static/js/bokeh.min.js",
        {method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(5000)})
      if (answer.ok) return location.reload()
    } catch {}
    setTimeout(reconnect, pause_ms, Math.min(2 * pause_ms, 5000))
  }
  const connection_lost = () => {
    if (lost) return
    lost = true
    const banner = document.createElement("div")
    banner.id = "connection"
    banner.role = "alert"
    const since = new Date().toISOString().slice(11, 19)
    banner.textContent = `No connection to the dashboard since ${since} UTC: nothing here is newer. Reconnecting ...`
    document.body.append(banner)
    reconnect()
  }
  globalThis.WebSocket = class extends WebSocket {  // of one that closes before there is a document, Bokeh has no event
    constructor(...given) {
      super(...given)
      this.addEventListener("close", () => { if (!globalThis.Bokeh?.documents?.length) connection_lost() })
    }
  }
  addEventListener("beforeunload", () => { lost = true })  // leaving closes the connection, too

  const names = {place: "place in the replay", speed: "speed of the replay"}
  const name_field = (model) => {  // what a screen reader says of it: its title or label, or the name of its model
    const field = view_of(model)?.shadow_el?.querySelector("input, select, [role=slider]")
    const name = model.title || model.label || names[model.name] || model.name.replaceAll("_", " ")
    if (field != null && field.ariaLabel !== name) field.ariaLabel = name
  }

  let root = null, n_models = 0, words = [], fields = [], looks = null
  const began_ms = Date.now()
  setInterval(() => {
    const opened = globalThis.Bokeh?.documents?.[0]
    if (opened == null || opened.roots().length === 0) {
      if (Date.now() - began_ms > 20000) connection_lost()
      return
    }
    if (opened.roots()[0] !== root) {
      root = opened.roots()[0]
      looks = opened.get_model_by_name("looks")
      opened.on_event("connection_lost", connection_lost)
    }
    if (opened._all_models.size !== n_models) {  // a look was made or dropped
      n_models = opened._all_models.size
      const all = [...opened._all_models.values()]
      words = all.filter((model) => model.tags?.length && model.type === "Div")
      fields = all.filter((model) => (model.name || model.title || model.label)
        && ["Select", "TextInput", "Slider", "Checkbox"].includes(model.type))
    }
    for (const model of words) write_words(model)
    fields.forEach(name_field)
    load_scripts()
    if (looks == null) return
    name_tabs(looks)
    keep_address()
  }, 500)
}
"""
