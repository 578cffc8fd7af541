"""Scripts that save what a page shows: a plot as CSV and as PNG, what was chosen as a display file."""

CSV = """
const inert = (word) => /^[=+\\-@\\t\\r\\n]/.test(word) ? "'" + word : word  // no formula in a spreadsheet
const quoted = (word) => word === "" ? "" : '"' + inert(word).replaceAll('"', '""') + '"'
const number = (value) => value == null || Number.isNaN(value) ? "" : String(value)
const when = (value, clock) => clock === "number" ? number(value) : new Date(value).toISOString()
const quality = (value) => value ? words.filter((_, bit) => value >> bit & 1).join("; ") : "good"
const lines = ["parameter,clock,time,until,element,value,unit,quality"]
sources.forEach((source, i) => {
  const data = source.data
  const add = (time, until, element, value, how) =>
    lines.push([quoted(names[i]), clocks[i], time, until, element, value, quoted(units[i]), quoted(how)].join(","))
  const in_sight = (first, last) => clocks[i] === "number" || (last >= range.start && first <= range.end)
  if (data.time != null) {
    for (let k = 0; k < data.time.length; k++)
      if (!data.gap[k] && in_sight(data.time[k], data.time[k]))
        add(when(data.time[k], clocks[i]), "", "", number(data.value[k]), data.quality ? quality(data.quality[k]) : "")
  } else if (data.label != null) {
    for (let k = 0; k < data.label.length; k++)
      if (in_sight(data.left[k], data.right[k]))
        add(when(data.left[k], clocks[i]), when(data.right[k], clocks[i]), "", quoted(data.label[k]), "")
  } else {
    const values = data.value ?? data.image?.[0] ?? []
    for (let k = 0; k < values.length; k++) add("", "", k, number(values[k]), "")
  }
})
const link = document.createElement("a")
link.href = URL.createObjectURL(new Blob([lines.join("\\n") + "\\n"], {type: "text/csv"}))
link.download = file
link.click()
URL.revokeObjectURL(link.href)
window.downlink_csv = lines
"""
"""Of `sources` with their `names`, `units` and `clocks`: a line for each row in sight, of an enumeration for each run
of equal labels, of an array for each element of its newest row."""

PNG = """
const canvas = Bokeh.index.find_one(figures).export("png").canvas
canvas.toBlob((blob) => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = "parameters.png"
  link.click()
  URL.revokeObjectURL(link.href)
  window.downlink_png = [blob.size, canvas.width, canvas.height]
}, "image/png")
"""

SAVE = """
const link = document.createElement("a")
link.href = URL.createObjectURL(new Blob([cb_obj.origin.tags[0]], {type: "application/toml"}))
link.download = "display.toml"
link.click()
URL.revokeObjectURL(link.href)
window.downlink_display = cb_obj.origin.tags[0]
"""
"""Of a button whose `tags` are the text of the file."""
