// Open MCT's side of downlink: the dictionary, past values and limits over HTTP, new values over MQTT.
//
// Every kind of rows is a folder, every number or text in it a telemetry object. Past values come row by row where there
// are few of them, else as the least and the greatest of each bin; new ones are all rows of the products on MQTT.

import { decode } from "@msgpack/msgpack";
import mqtt from "mqtt";

const NAMESPACE = "downlink";
const ROOT = { namespace: NAMESPACE, key: "root" };
const MOST_ROWS = 5000;              // of an answer that are fetched one by one
const MOST_POINTS = 10_000;          // bins of a down-sampled answer, as the interface gives them
const LEVELS = ["watch", "warning", "distress", "critical", "severe"];
const COLOURS = ["cyan", "yellow", "orange", "red", "purple"];
const NO_TIME = -(1n << 63n);

// Names in addresses of Open MCT: letters, digits and "~" with two hexadecimal digits for all else.
const keyOf = (text) => encodeURIComponent(text).replace(/[!'()*~._-]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
  .replaceAll("%", "~");

// Fetch parameters, and give the plugin and the span of time that there are rows of.
export async function downlink({ history, broker, mission }) {
  const api = new History(history);
  const parameters = (await api.ask("/api/parameters", {})).parameters.filter(({ type }) => !/^(list|binary)/.test(type));
  const byKey = new Map(parameters.map((one) => [`p.${keyOf(one.name)}`, one]));
  const kinds = new Map();
  for (const [key, one] of byKey) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), key]);
  const live = broker ? new Live(broker, mission) : null;

  function plugin(openmct) {
    if (live) indicate(openmct, live.client, broker);
    openmct.types.addType("downlink.parameter", {
      name: "Parameter", description: "A parameter of the mission", cssClass: "icon-telemetry",
    });
    openmct.objects.addRoot(ROOT);
    openmct.objects.addProvider(NAMESPACE, { get: async ({ key }) => object(key) });
    openmct.composition.addProvider({
      appliesTo: ({ identifier, type }) => identifier.namespace === NAMESPACE && type === "folder",
      load: async ({ identifier }) => members(identifier.key).map((key) => ({ namespace: NAMESPACE, key })),
    });
    const isOurs = (one) => one.type === "downlink.parameter";
    openmct.telemetry.addProvider({
      supportsRequest: isOurs,
      request: (one, options) => past(api, byKey.get(one.identifier.key), options),
      supportsSubscribe: (one) => live !== null && isOurs(one),
      subscribe: (one, callback) => live.subscribe(byKey.get(one.identifier.key), callback),
      supportsLimits: (one) => isOurs(one) && Boolean(byKey.get(one.identifier.key)?.limits),
      getLimits: (one) => ({ limits: async () => limitsOf(byKey.get(one.identifier.key)) }),
      getLimitEvaluator: (one) => ({ evaluate: (row, value) =>
        (value === undefined || value.key === "value" ? verdict(byKey.get(one.identifier.key), row.value) : undefined) }),
    });
  }

  function members(key) {
    if (key === "root") return [...kinds.keys()].map((kind) => `k.${keyOf(kind)}`);
    for (const [kind, keys] of kinds) if (key === `k.${keyOf(kind)}`) return keys;
    return [];
  }

  function object(key) {
    const identifier = { namespace: NAMESPACE, key };
    if (key === "root") return { identifier, name: "downlink", type: "folder", location: "ROOT" };
    const one = byKey.get(key);
    if (one) {
      return {
        identifier, name: one.parameter, type: "downlink.parameter", location: `${NAMESPACE}:k.${keyOf(one.kind)}`,
        notes: one.description, telemetry: { values: valuesOf(one) },
      };
    }
    for (const kind of kinds.keys()) {
      if (key === `k.${keyOf(kind)}`) return { identifier, name: kind, type: "folder", location: `${NAMESPACE}:root` };
    }
    return undefined;
  }

  const known = parameters.filter((one) => one.first && one.last);
  const first = Math.min(...known.map((one) => Date.parse(one.first)));
  const last = Math.max(...known.map((one) => Date.parse(one.last)));
  const bounds = known.length ? { start: Math.max(first, last - 86_400_000), end: last + 1000 }
    : { start: Date.now() - 3_600_000, end: Date.now() };
  return { plugin, bounds, live };
}

function valuesOf({ type, unit }) {
  const format = type === "text" ? "string" : /^(u?int|bool)/.test(type) ? "integer" : "float";
  return [
    { key: "value", name: "Value", unit, format, hints: { range: 1 } },
    { key: "utc", name: "Time", format: "utc", hints: { domain: 1 } },
    { key: "quality", name: "Quality", format: "integer", hints: {} },
  ];
}

// A sign in the head of the page: whether new values can come.
function indicate(openmct, client, broker) {
  const sign = openmct.indicators.simpleIndicator();
  const tell = (text, status) => { sign.text(text); sign.description(broker); sign.statusClass(status); };
  sign.iconClass("icon-connectivity");
  tell("Live: connecting", "s-status-caution");
  if (client.connected) tell("Live: connected", "s-status-on");
  client.on("connect", () => tell("Live: connected", "s-status-on"));
  client.on("close", () => tell("Live: not connected, trying again", "s-status-error"));
  openmct.indicators.add(sign);
}

// The interface of `downlink history serve`. A token, where it asks for one, is kept as long as the tab is.
class History {
  constructor(url) {
    this.url = url.replace(/\/$/, "");
  }

  async ask(path, words, again = true) {
    const token = sessionStorage.getItem("downlink-token");
    const query = new URLSearchParams(words);
    const answer = await fetch(`${this.url}${path}?${query}`, token ? { headers: { Authorization: `Bearer ${token}` } } : {});
    if (answer.status === 401 && again) {
      const given = prompt("The token of the history (DOWNLINK_HISTORY_TOKEN)");
      if (given) {
        sessionStorage.setItem("downlink-token", given);
        return this.ask(path, words, false);
      }
    }
    const found = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${found.error}`);
    return found;
  }
}

const iso = (ms) => new Date(ms).toISOString();
const datum = (one, utc, value, quality) => ({ id: one.name, utc, value, quality });
const datumOf = (one, row, value) => datum(one, Date.parse(row.time ?? row.received), value, row.quality);

// Past values of a range, as Open MCT asks for them: the newest `size` ones, or as many as a plot shows.
async function past(api, one, { start, end, strategy, size }) {
  if (size === 1) {
    const { rows } = await api.ask("/api/last", { name: one.name, end: iso(end) });
    return rows.map((row) => datumOf(one, row, row.value));
  }
  const points = Math.min(Math.max(Math.round((size ?? 1000) / 2), 1), MOST_POINTS);
  const range = { name: one.name, start: iso(start), end: iso(end) };
  const { rows } = await api.ask("/api/samples", { ...range, points });
  if (strategy === "latest") {
    const begin = beginOfLast(rows, size);
    return begin ? (await rowsOf(api, one, { ...range, start: begin })).slice(-size) : [];
  }
  const n = rows.reduce((sum, row) => sum + row.n, 0);
  if (n <= MOST_ROWS || rows[0].min === undefined) return rowsOf(api, one, range);
  const half = (end - start) / points / 2;
  return rows.flatMap((row) => {
    const utc = Date.parse(row.time);
    return [datum(one, utc, row.min, row.quality), datum(one, utc + half, row.max, row.quality)];
  });
}

// Where the bin begins from which on there are `size` rows.
function beginOfLast(bins, size) {
  let n = 0;
  for (const bin of [...bins].reverse()) {
    n += bin.n;
    if (n >= size) return bin.time;
  }
  return bins[0]?.time;
}

async function rowsOf(api, one, range) {
  const { rows } = await api.ask("/api/values", range);
  return rows.filter((row) => row[one.name] !== null).map((row) => datumOf(one, row, row[one.name]));
}

// New values: one subscription for each kind that someone looks at.
class Live {
  constructor(broker, mission) {
    this.mission = mission;
    this.listeners = new Map();      // by filter: of topics, Map of callback to parameter
    this.seen = new Set();           // ids of products: one may come twice
    this.client = mqtt.connect(broker);
    this.client.on("connect", () => { for (const filter of this.listeners.keys()) this.client.subscribe(filter, { qos: 1 }); });
    this.client.on("message", (topic, payload) => this.take(topic, payload));
  }

  subscribe(one, callback) {
    const product = one.kind.includes("/") ? one.kind : `telemetry/${one.kind}`;
    const filter = `${this.mission}/+/product/${product}`;
    if (!this.listeners.has(filter)) {
      this.listeners.set(filter, new Map());
      if (this.client.connected) this.client.subscribe(filter, { qos: 1 });
    }
    this.listeners.get(filter).set(callback, one);
    return () => {
      const those = this.listeners.get(filter);
      those.delete(callback);
      if (!those.size) {
        this.listeners.delete(filter);
        this.client.unsubscribe(filter);
      }
    };
  }

  take(topic, payload) {
    const product = topic.split("/").slice(2).join("/");
    const those = [...this.listeners].filter(([filter]) => filter.endsWith(`/${product}`)).flatMap(([, some]) => [...some]);
    if (!those.length) return;
    const { id, arrays, quality } = decode(payload);
    if (this.seen.has(id)) return;
    this.seen.add(id);
    if (this.seen.size > 10_000) this.seen.delete(this.seen.values().next().value);
    const times = column(arrays.time_utc_ns), flags = column(quality), now = Date.now();
    for (const [callback, one] of those) {
      const values = arrays[one.parameter] ? column(arrays[one.parameter]) : null;
      if (values === null || values.length !== flags.length) continue;
      values.forEach((value, i) => {
        const utc = times[i] === NO_TIME ? now : Number(times[i] / 1_000_000n);
        callback(datum(one, utc, typeof value === "bigint" ? Number(value) : value, flags[i]));
      });
    }
  }
}

const crosses = ({ label, low, high, inside }, value) =>
  (label === undefined ? ((low === null || value >= low) && (high === null || value <= high)) === inside : value === label);

// The worst band that a value is in: what Open MCT marks it with.
function verdict({ limits }, value) {
  const hits = limits.filter((band) => crosses(band, value) && LEVELS.includes(band.level));
  if (!hits.length) return undefined;
  const worst = hits.reduce((one, other) => (LEVELS.indexOf(other.level) > LEVELS.indexOf(one.level) ? other : one));
  const isLow = typeof worst.low === "number" && value < worst.low;
  return {
    name: worst.level, low: worst.low ?? undefined, high: worst.high ?? undefined,
    cssClass: `is-limit--${isLow ? "lwr" : "upr"} is-limit--${COLOURS[LEVELS.indexOf(worst.level)]}`,
  };
}

// Lines for plots, by level: the ends of each band.
function limitsOf({ limits }) {
  const found = {};
  for (const { level, label, low, high } of limits) {
    if (label !== undefined || !LEVELS.includes(level)) continue;
    const color = COLOURS[LEVELS.indexOf(level)];
    found[level.toUpperCase()] = {
      ...(low === null ? {} : { low: { color, value: low } }), ...(high === null ? {} : { high: { color, value: high } }),
    };
  }
  return found;
}

// An array of a product as values of its rows: little-endian, C order; null where a row has several.
function column({ dtype, shape, data }) {
  if (shape.length !== 1) return null;
  const [, order, kind, size] = /^([<|>])([a-zA-Z])(\d+)$/.exec(dtype);
  const [n, width] = [shape[0], Number(size) * (kind === "U" ? 4 : 1)];
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const isLittle = order !== ">";
  const read = {
    f4: (at) => view.getFloat32(at, isLittle), f8: (at) => view.getFloat64(at, isLittle),
    i1: (at) => view.getInt8(at), i2: (at) => view.getInt16(at, isLittle), i4: (at) => view.getInt32(at, isLittle),
    i8: (at) => view.getBigInt64(at, isLittle), b1: (at) => view.getUint8(at), u1: (at) => view.getUint8(at),
    u2: (at) => view.getUint16(at, isLittle), u4: (at) => view.getUint32(at, isLittle),
    u8: (at) => view.getBigUint64(at, isLittle), f2: (at) => half(view.getUint16(at, isLittle)),
  }[`${kind}${size}`] ?? (kind === "U" ? (at) => text(view, at, width, isLittle) : null);
  return read && Array.from({ length: n }, (_, i) => read(i * width));
}

// Half precision, IEEE 754 binary16.
function half(bits) {
  const [sign, exponent, rest] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return rest ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
}

// Text of 32-bit code points, filled with zeros.
function text(view, start, width, isLittle) {
  let found = "";
  for (let at = start; at < start + width; at += 4) {
    const point = view.getUint32(at, isLittle);
    if (point) found += String.fromCodePoint(point);
  }
  return found;
}
