// The satisfaction index: how pleasant the expressions are that people show, over time and with its uncertainty. Counterpart of
// inference/satisfaction.py, which says why each step is as it is. A value of the index, Reading of Python, is {index, deviation}.

import {CONSTANTS} from "./constants.js";
import {dot, round, sum} from "./numbers.js";
import {IfadeError} from "./sentences.js";

const {EMOTIONS} = CONSTANTS.types;
const {
  BASELINE_SECONDS,
  BIN_SECONDS,
  CORRELATION_SECONDS,
  CURVE_POINTS,
  FEWEST_STRETCHES,
  FIRST_STEP,
  FORMULA,
  LONGEST_STEP,
  MARKER_SECONDS,
  MAX_BINS,
  MAX_LABEL,
  MAX_MARKERS,
  MAX_PEOPLE,
  MOST_BASELINE,
  NEUTRAL_ZONE,
  NOISE,
  NOT_SURE_KEY,
  PRIOR,
  SHORTEST_STEP,
  VALENCE,
  WANDER,
} = CONSTANTS.satisfaction;

// A marker cannot be set, or weights cannot be used.
export class TimelineError extends IfadeError {}

// Weights by emotion as they come from outside, checked.
function parseWeights(weights) {
  const names = Object.keys(weights ?? {});
  if (names.length !== EMOTIONS.length || !EMOTIONS.every((name) => names.includes(name)))
    throw new TimelineError("weights_incomplete", {emotions: EMOTIONS.join(", ")});
  for (const [name, weight] of Object.entries(weights)) {
    if (typeof weight !== "number" || !(-1 <= weight && weight <= 1))
      throw new TimelineError("weight_out_of_range", {emotion: name});
  }
  return Object.fromEntries(EMOTIONS.map((name) => [name, weights[name]]));
}

// The filter of one person: a local level model with the valence as its observation.
class Level {
  seconds = -Infinity;
  mean = 0;
  variance = Infinity;

  // Take an observation in: its time, the mean distribution over its frames, the seconds that they stand for, and how many they are.
  update(seconds, distribution, weights, length, frames = 1) {
    const observed = dot(weights, distribution),
      squares = weights.map((weight) => weight * weight),
      spread = Math.max(dot(squares, distribution) - observed * observed, 0),
      noise = (spread + NOISE) / Math.min(frames, length / CORRELATION_SECONDS),
      gain = 1 / (1 + noise / (this.variance + WANDER * (seconds - this.seconds)));
    this.seconds = seconds;
    this.mean += gain * (observed - this.mean);
    this.variance = gain * noise;
  }
}

// What a Level knew at each observation, [seconds, mean, variance], as it is known from those that came later too.
function smooth(estimates) {
  const smoothed = estimates.slice(-1);
  for (const [seconds, mean, variance] of estimates.slice(0, -1).reverse()) {
    const [later, laterMean, laterVariance] = smoothed.at(-1),
      expected = variance + WANDER * (later - seconds),
      gain = variance / expected;
    smoothed.push([seconds, mean + gain * (laterMean - mean), variance + gain ** 2 * (laterVariance - expected)]);
  }
  return smoothed.reverse();
}

// The reading as seen from a person's own neutral: the baseline becomes 0, -1 and 1 stay where they are.
function fromBaseline(reading, baseline) {
  if (baseline === null) return reading;
  const seen = (index) => (index - baseline) / (index >= baseline ? 1 - baseline : 1 + baseline),
    {index, deviation} = reading;
  return {index: seen(index), deviation: (seen(index + deviation) - seen(index - deviation)) / 2};
}

// The room: the plain mean of the people in view; null for nobody. shares: where they were seen for different parts of a stretch of
// time, the part of the room that each was in it.
export function combine(readings, shares = readings.map(() => 1)) {
  if (!readings.length) return null;
  const total = sum(shares),
    index = sum(readings.map((reading, place) => shares[place] * reading.index)) / total,
    variance = sum(readings.map((reading, place) => (shares[place] * reading.deviation) ** 2));
  return {index, deviation: Math.sqrt(variance) / total};
}

// What `curves` of a Timeline say of the faces of frames, which are in order of time: of each [index, deviation, and those of the room in
// that frame]. seconds, people: of each face. readings: [index, deviation] that hold where a person has no curve.
export function readOff(curves, seconds, people, readings) {
  const own = readings.map((reading, row) => {
    const curve = curves.get(people[row]);
    return curve ? curve.slice(1).map((values) => interpolate(seconds[row], curve[0], values)) : reading;
  });
  const figures = [];
  for (let start = 0; start < own.length; ) {
    let end = start + 1;
    while (end < own.length && seconds[end] === seconds[start]) end++;
    const {index, deviation} = combine(own.slice(start, end).map(([index, deviation]) => ({index, deviation})));
    for (; start < end; start++) figures.push([...own[start], index, deviation]);
  }
  return figures;
}

// The value at x of straight lines between points, level before the first and after the last.
function interpolate(x, xs, ys) {
  let low = 0,
    high = xs.length; // the first point behind x
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return ys[0];
  const at = low - 1;
  if (low === xs.length || xs[at] === x) return ys[at];
  return ((ys[low] - ys[at]) / (xs[low] - xs[at])) * (x - xs[at]) + ys[at];
}

const mean = (values) => sum(values) / values.length;

// By how much the mean of a series changes at a moment, and the standard deviation of that.
function meanDifference(before, after) {
  const sides = [before, after],
    rests = sides.map((side) => side.map((value) => value - mean(side))),
    squares = sum(rests.map((rest) => dot(rest, rest))),
    difference = mean(after) - mean(before);
  if (squares < 1e-12) return [difference, 0];
  const meanLength = (before.length + after.length) / 2,
    measured = sum(rests.map((rest) => dot(rest.slice(0, -1), rest.slice(1)))) / squares,
    correlation = Math.min(Math.max((measured + 1 / meanLength) / Math.max(1 - 3 / meanLength, 0.1), 0), 0.95);
  const inflations = sides.map(({length}) => {
    let total = 0;
    for (let lag = 1; lag < length; lag++) total += (1 - lag / length) * correlation ** lag;
    return 1 + 2 * total;
  });
  const variance = squares / sum(sides.map(({length}, at) => length - inflations[at]));
  return [difference, Math.sqrt(variance * sum(sides.map(({length}, at) => inflations[at] / length)))];
}

// What the report says of an index on both sides of a marker: [seconds, value] of each stretch of time.
function compared(before, after) {
  if (Math.min(before.length, after.length) < FEWEST_STRETCHES) return {before: null, after: null, difference: null};
  const values = [before, after].map((side) => side.map(([, index]) => index));
  const [was, is] = [before, after].map((side, at) => ({
    mean: round(mean(values[at]), 4),
    seconds: round(sum(side.map(([length]) => length)), 3),
  }));
  return {before: was, after: is, difference: meanDifference(...values).map((figure) => round(figure, 4))};
}

// What was seen of one person in one stretch of time: frames, the seconds that they stand for, and, weighted by these, the sums of the
// person's part of the people in view, of the times and of the distributions.
const makeBin = (stretch, person) => ({
  stretch,
  person,
  frames: 0,
  length: 0,
  share: 0,
  moment: 0,
  weighted: EMOTIONS.map(() => 0),
});
const EVERYBODY = -1; // stands in place of a person's number where anybody at all was there

function addTo(bin, length, part, seconds, distribution = null) {
  bin.frames += 1;
  bin.length += length;
  bin.share += length * part;
  bin.moment += length * seconds;
  if (distribution) for (let at = 0; at < bin.weighted.length; at++) bin.weighted[at] += length * distribution[at];
}

function join(bin, other) {
  for (const name of ["frames", "length", "share", "moment"]) bin[name] += other[name];
  for (let at = 0; at < bin.weighted.length; at++) bin.weighted[at] += other.weighted[at];
}

// Bins as text and back, in single precision: JSON would be several times as long.
const BIN = ["stretch", "person", "frames", "length", "share", "moment"],
  BIN_SIZE = BIN.length + EMOTIONS.length,
  PIECE = 8192; // bytes that become text at once

function packed(bins) {
  const numbers = new Float32Array(BIN_SIZE * bins.length),
    bytes = new Uint8Array(numbers.buffer);
  bins.forEach((bin, row) => {
    for (let at = 0; at < BIN.length; at++) numbers[BIN_SIZE * row + at] = bin[BIN[at]];
    numbers.set(bin.weighted, BIN_SIZE * row + BIN.length);
  });
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return btoa(text);
}

function unpacked(text) {
  const numbers = new Float32Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
  return Array.from({length: numbers.length / BIN_SIZE}, (_, row) => {
    const [...values] = numbers.subarray(row * BIN_SIZE, (row + 1) * BIN_SIZE),
      weighted = values.splice(BIN.length);
    return {...Object.fromEntries(BIN.map((name, at) => [name, values[at]])), weighted};
  });
}

const noDwell = () => Object.fromEntries([...EMOTIONS, NOT_SURE_KEY].map((name) => [name, 0]));

// The index of everybody in a stream of frames, from the first to the last, in bounded memory. Everything is kept as mean distributions
// over stretches of time, so that the weights can be changed at any time and hold for the whole session.
export class Timeline {
  finished = false; // set it when no frame comes any more, and curve, curves and report look back from the end
  frames = 0; // analysed so far, those without a face included
  forgotten = 0; // people who are no longer counted, because there were more than MAX_PEOPLE
  markers = []; // {id, seconds, label}, in order of time
  calibratingUntil = null; // when the taking of a neutral baseline ends or ended; null where none was asked for
  #lastMarker = 0;
  #people = new Map();
  #bins = [];
  #width = BIN_SECONDS;
  #stretch = -1; // the stretch of time that is being filled
  #rows = new Map(); // its bins by person
  #start = null;
  #now = null;
  #vector;

  constructor(weights = VALENCE) {
    this.weights = parseWeights(weights);
    this.#vector = Object.values(this.weights);
  }

  // All of it as JSON, by which `restored` begins where this one is: Python's stays in the server's memory while a page is reloaded.
  toJSON() {
    const {weights, frames, forgotten, markers, calibratingUntil} = this,
      people = Array.from(this.#people, ([id, {level, ...person}]) => [id, person]);
    return {
      ...{weights, frames, forgotten, markers, calibratingUntil, people},
      ...{
        lastMarker: this.#lastMarker,
        bins: packed(this.#bins),
        width: this.#width,
        start: this.#start,
        now: this.#now,
      },
    };
  }

  static restored({weights, people, lastMarker, bins, width, start, now, ...counts}) {
    const timeline = Object.assign(new Timeline(weights), counts);
    timeline.#people = new Map(people);
    timeline.#bins = unpacked(bins);
    timeline.#lastMarker = lastMarker;
    timeline.#width = width;
    timeline.#start = start;
    timeline.#now = now;
    timeline.#stretches(); // the levels
    return timeline;
  }

  // Take in the faces of one frame, {id, measured, smoothed}, at its time, which is at least that of the frame before. Gives the reading
  // of the room, null while nobody is there, and a Map of that of each person by id.
  add(seconds, people) {
    if (!Number.isFinite(seconds) || (this.#now !== null && seconds < this.#now))
      throw new RangeError(`the time of a frame must not run backwards: ${seconds} after ${this.#now}`);
    const step = this.#now === null ? FIRST_STEP : Math.min(Math.max(seconds - this.#now, SHORTEST_STEP), LONGEST_STEP);
    this.#start ??= seconds;
    this.#now = seconds;
    this.frames += 1;
    const calibrating = this.calibratingUntil !== null && seconds <= this.calibratingUntil,
      readings = new Map(),
      stretch = Math.trunc((seconds - this.#start) / this.#width);
    for (const face of people) {
      let person = this.#people.get(face.id);
      if (!person) {
        person = {first: seconds, level: new Level(), frames: 0, seconds: 0, dwell: noDwell()};
        // baselineUntil: of the taking to which the baseline belongs
        Object.assign(person, {baseline: null, baselineUntil: null});
        this.#people.set(face.id, person);
      }
      const distribution = face.measured.consensus,
        shown = face.smoothed;
      person.level.update(seconds, distribution, this.#vector, step);
      person.last = seconds;
      person.frames += 1;
      person.seconds += step;
      person.dwell[shown.sure ? shown.shown : NOT_SURE_KEY] += step;
      addTo(this.#bin(stretch, face.id), step, 1 / people.length, seconds, distribution);
      if (calibrating) {
        if (person.baselineUntil !== this.calibratingUntil) {
          person.baseline = makeBin(0, face.id);
          person.baselineUntil = this.calibratingUntil;
        }
        addTo(person.baseline, step, 1, seconds, distribution);
      }
      readings.set(face.id, this.#reading(person, person.level.mean, person.level.variance));
    }
    if (readings.size) {
      addTo(this.#bin(stretch, EVERYBODY), step, 1, seconds);
      this.#keepBounds(readings);
    }
    return {room: combine([...readings.values()]), readings};
  }

  // Set a marker, at the time of the last frame or at another; gives it as it is kept.
  mark(label, seconds = null) {
    const kept = parseLabel(label);
    if (this.markers.length >= MAX_MARKERS) throw new TimelineError("markers_full", {most: MAX_MARKERS});
    const marker = {id: ++this.#lastMarker, seconds: seconds ?? this.#now ?? 0, label: kept};
    this.markers.push(marker);
    this.markers.sort((one, other) => one.seconds - other.seconds);
    return marker;
  }

  // Write something else on a marker; gives it as it is kept.
  relabel(id, label) {
    const place = this.#markerPlace(id);
    this.markers[place] = {...this.markers[place], label: parseLabel(label)};
    return this.markers[place];
  }

  unmark(id) {
    this.markers.splice(this.#markerPlace(id), 1);
  }

  #markerPlace(id) {
    const place = this.markers.findIndex((marker) => marker.id === id);
    if (place < 0) throw new TimelineError("no_such_marker");
    return place;
  }

  // Use other weights, for the whole session.
  setWeights(weights) {
    this.weights = parseWeights(weights);
    this.#vector = Object.values(this.weights);
    this.#stretches();
  }

  // Take the neutral baseline of everybody in view from the next BASELINE_SECONDS, or from those after a time that was seen already;
  // gives when it will be done.
  calibrate(start = null) {
    if (start === null) {
      this.calibratingUntil = (this.#now ?? 0) + BASELINE_SECONDS;
      return this.calibratingUntil;
    }
    const end = start + Math.max(BASELINE_SECONDS, this.#width);
    const inside = this.#bins.filter(({person, moment, length}) => {
      return person !== EVERYBODY && moment / length >= start && moment / length <= end;
    });
    if (!inside.length) throw new TimelineError("nobody_in_baseline");
    this.calibratingUntil = null;
    for (const id of new Set(inside.map((bin) => bin.person))) {
      const person = this.#people.get(id);
      person.baseline = makeBin(0, id);
      person.baselineUntil = end;
      for (const bin of inside) if (bin.person === id) join(person.baseline, bin);
    }
    return end;
  }

  forgetBaseline() {
    this.calibratingUntil = null;
    for (const person of this.#people.values()) person.baseline = person.baselineUntil = null;
  }

  // The index that counts as 0, by person, of those that have a baseline.
  get baselines() {
    const found = [...this.#people].map(([id, person]) => [id, this.#baseline(person)]);
    return new Map(found.filter(([, baseline]) => baseline !== null));
  }

  // The whole session as JSON: at most `points` stretches of time as {seconds, room, people, emotions}; see `Timeline.curve` of Python.
  curve(points = CURVE_POINTS) {
    const stretches = this.#stretches(),
      size = Math.max(1, Math.ceil(stretches.length / points)),
      result = [];
    for (let start = 0; start < stretches.length; start += size) {
      const group = stretches.slice(start, start + size),
        seen = new Map();
      for (const stretch of group) {
        for (const [id, part] of stretch.people) seen.has(id) ? seen.get(id).push(part) : seen.set(id, [part]);
      }
      const parts = [...seen.values()],
        readings = parts.map(meanReading),
        shares = parts.map((of) => sum(of.map((part) => part.share))),
        emotions = parts.map((of) =>
          meanDistribution(
            of.map((part) => part.distribution),
            of.map((part) => part.share),
          ),
        ),
        byId = (values, tell) => Object.fromEntries([...seen.keys()].map((id, at) => [id, tell(values[at])])),
        rounded = (distribution) => distribution.map((value) => round(value, 3));
      result.push({
        seconds: round(sum(group.map((stretch) => stretch.seconds)) / group.length, 3),
        room: roundedReading(combine(readings, shares)),
        people: byId(readings, roundedReading),
        emotions: {room: rounded(meanDistribution(emotions, shares)), ...byId(emotions, rounded)},
      });
    }
    if (this.finished && result.length) {
      const ends = (point, name) => Object.keys(point.people).map((id) => this.#people.get(Number(id))[name]),
        first = Math.min(...ends(result[0], "first")),
        last = Math.max(...ends(result.at(-1), "last"));
      return [{...result[0], seconds: round(first, 3)}, ...result, {...result.at(-1), seconds: round(last, 3)}];
    }
    return result;
  }

  // The curve of everybody in all detail: a Map by id of [seconds, index, deviation], an array each.
  curves() {
    const curves = new Map();
    for (const stretch of this.#stretches()) {
      for (const [id, {reading}] of stretch.people) {
        if (!curves.has(id)) curves.set(id, [[], [], []]);
        const [seconds, index, deviation] = curves.get(id);
        seconds.push(stretch.seconds);
        index.push(reading.index);
        deviation.push(reading.deviation);
      }
    }
    return curves;
  }

  // The same of a finished session, by which its rows are told anew (see `readOff`); null before.
  finishedCurves() {
    return this.finished ? this.curves() : null;
  }

  // The session in figures, as JSON; see `Timeline.report` of Python.
  report(points = CURVE_POINTS) {
    const byPerson = new Map([...this.#people.keys()].map((id) => [id, []])),
      room = [],
      stretches = this.#stretches(),
      everybody = noDwell();
    for (const stretch of stretches) {
      room.push([stretch.seconds, stretch.length, roomOf(stretch)]);
      for (const [id, part] of stretch.people) byPerson.get(id).push([stretch.seconds, part.length, part.reading]);
    }
    const people = [...this.#people].map(([id, person]) => {
      for (const [name, seconds] of Object.entries(person.dwell)) everybody[name] += seconds;
      const baseline = this.#baseline(person);
      return {
        id,
        from: round(person.first, 3),
        to: round(person.last, 3),
        seconds: round(person.seconds, 3),
        frames: person.frames,
        ...summary(byPerson.get(id), person.dwell),
        baseline: baseline === null ? null : round(baseline, 4),
      };
    });
    const curve = this.curve(points);
    return {
      formula: FORMULA,
      weights: this.weights,
      neutral_zone: NEUTRAL_ZONE,
      smoothed: this.finished,
      frames: this.frames,
      from: this.#start === null ? null : round(this.#start, 3),
      to: this.#now === null ? null : round(this.#now, 3),
      room: summary(room, everybody),
      people,
      people_forgotten: this.forgotten,
      markers: this.markers.map((marker, place) => ({
        id: marker.id,
        seconds: round(marker.seconds, 3),
        label: marker.label,
        room: nearest(curve, marker.seconds),
        ...this.#around(place, stretches),
      })),
      curve,
    };
  }

  // What the report says of the time around a marker.
  #around(place, stretches) {
    const at = this.markers[place].seconds,
      span = Math.max(MARKER_SECONDS, 2 * FEWEST_STRETCHES * this.#width),
      others = this.markers.map((marker) => marker.seconds);
    const before = others.filter((other) => at - span < other && other < at),
      after = others.filter((other) => at < other && other < at + span),
      start = before.length ? Math.max(...before) : at - span,
      end = after.length ? Math.min(...after) : at + span;
    const sides = [
      stretches.filter(({seconds}) => start <= seconds && seconds < at),
      stretches.filter(({seconds}) => at <= seconds && seconds < end),
    ];
    const ofPerson = (id) =>
      sides.map((side) =>
        side.flatMap(({people}) => (people.has(id) ? [[people.get(id).length, people.get(id).observed]] : [])),
      );
    const ids = new Set(sides[0].flatMap(({people}) => [...people.keys()])),
      figures = [...ids].map((id) => [id, compared(...ofPerson(id))]);
    return {
      ...compared(...sides.map((side) => side.map((stretch) => [stretch.length, observedRoom(stretch)]))),
      people: Object.fromEntries(figures.filter(([, {difference}]) => difference)),
    };
  }

  #reading(person, mean, variance) {
    return fromBaseline({index: mean, deviation: Math.sqrt(Math.min(variance, PRIOR))}, this.#baseline(person));
  }

  #baseline(person) {
    if (person.baseline === null) return null;
    const baseline = dot(this.#vector, person.baseline.weighted) / person.baseline.length;
    return Math.min(Math.max(baseline, -MOST_BASELINE), MOST_BASELINE);
  }

  // Forget whom there is no room for, and join every two neighbouring stretches of time when they are too many.
  #keepBounds(present) {
    while (this.#people.size > MAX_PEOPLE) {
      let gone = null;
      for (const [id, {seconds}] of this.#people) {
        if (!present.has(id) && (gone === null || seconds < this.#people.get(gone).seconds)) gone = id;
      }
      if (gone === null) break;
      this.#people.delete(gone);
      this.forgotten += 1;
      this.#keep(this.#bins.filter((bin) => bin.person !== gone));
    }
    if (this.#bins.length > MAX_BINS) {
      const joined = new Map();
      for (const bin of this.#bins) {
        const stretch = Math.floor(bin.stretch / 2),
          key = `${stretch} ${bin.person}`;
        if (!joined.has(key)) joined.set(key, makeBin(stretch, bin.person));
        join(joined.get(key), bin);
      }
      this.#keep([...joined.values()].sort((one, other) => one.stretch - other.stretch || one.person - other.person));
      this.#width *= 2;
    }
  }

  // Have these in place of the present ones.
  #keep(bins) {
    this.#bins = bins;
    this.#stretch = -1;
  }

  // That of a person in the last stretch of time, or a new one.
  #bin(stretch, person) {
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      this.#rows = new Map();
      for (let at = this.#bins.length - 1; at >= 0 && this.#bins[at].stretch === stretch; at--)
        this.#rows.set(this.#bins[at].person, this.#bins[at]);
    }
    if (!this.#rows.has(person)) {
      const bin = makeBin(stretch, person);
      this.#rows.set(person, bin);
      this.#bins.push(bin);
    }
    return this.#rows.get(person);
  }

  // All stretches of time in which somebody was seen, by the present weights; leaves the levels at their end. Of a stretch: seconds (the mean
  // time of its frames), length, and a Map of people. Of a person in it: for how many seconds (length), which part of the room (share),
  // the reading, the index that was observed in this stretch alone, and the mean distribution.
  #stretches() {
    for (const person of this.#people.values()) person.level = new Level();
    const known = new Map(), // by id: what the level knew, and what is to be told of it
      stretches = [];
    for (let start = 0; start < this.#bins.length; ) {
      let end = start + 1;
      while (end < this.#bins.length && this.#bins[end].stretch === this.#bins[start].stretch) end++;
      const group = this.#bins.slice(start, end),
        everybody = group.find((bin) => bin.person === EVERYBODY),
        stretch = {seconds: everybody.moment / everybody.length, length: everybody.length, people: new Map()};
      for (const {person: id, frames, length, share, weighted} of group) {
        if (id === EVERYBODY) continue;
        const distribution = weighted.map((value) => value / length),
          {level} = this.#people.get(id);
        level.update(stretch.seconds, distribution, this.#vector, length, frames);
        if (!known.has(id)) known.set(id, {estimates: [], parts: []});
        const {estimates, parts} = known.get(id);
        estimates.push([stretch.seconds, level.mean, level.variance]);
        parts.push({stretch, length, share, distribution});
      }
      if (group.length > 1) stretches.push(stretch);
      start = end;
    }
    for (const [id, {estimates, parts}] of known) {
      const person = this.#people.get(id);
      (this.finished ? smooth(estimates) : estimates).forEach(([, mean, variance], at) => {
        const {stretch, length, share, distribution} = parts[at],
          observed = this.#reading(person, dot(this.#vector, distribution), 0).index,
          reading = this.#reading(person, mean, variance);
        stretch.people.set(id, {length, share, reading, observed, distribution});
      });
    }
    return stretches;
  }
}

function roomOf({people}) {
  const parts = [...people.values()];
  return combine(
    parts.map((part) => part.reading),
    parts.map((part) => part.share),
  );
}

// The room's index in a stretch alone, without what was known before.
function observedRoom({people}) {
  const parts = [...people.values()];
  return sum(parts.map((part) => part.share * part.observed)) / sum(parts.map((part) => part.share));
}

// Of one person over some stretches of time, whose errors are the same.
function meanReading(parts) {
  const total = sum(parts.map((part) => part.share)),
    of = (name) => sum(parts.map((part) => part.share * part.reading[name])) / total;
  return {index: of("index"), deviation: of("deviation")};
}

function meanDistribution(distributions, weights) {
  const total = sum(weights);
  return EMOTIONS.map(
    (_, at) =>
      dot(
        weights,
        distributions.map((distribution) => distribution[at]),
      ) / total,
  );
}

function parseLabel(label) {
  const words = String(label ?? "").split(/\p{White_Space}+/u),
    kept = [...words.filter(Boolean).join(" ")].slice(0, MAX_LABEL).join("");
  if (!kept) throw new TimelineError("marker_without_label");
  return kept;
}

// A reading as JSON.
export const roundedReading = (reading) => reading && [round(reading.index, 4), round(reading.deviation, 4)];

// The figures of a curve given as [seconds, length, reading].
function summary(steps, dwell) {
  const total = sum(steps.map(([, length]) => length)),
    told = Object.fromEntries(Object.entries(dwell).map(([name, seconds]) => [name, round(seconds, 3)]));
  const figures = {mean: null, highest: null, lowest: null, end: null, positive: null, neutral: null, negative: null};
  if (total > 0) {
    const part = (inside) => round(sum(steps.map(([, length, {index}]) => (inside(index) ? length : 0))) / total, 4);
    const most = (sign) => {
      // The first of several that are told alike: how a processor rounds is no difference.
      const readings = steps.map(([seconds, , {index}]) => ({index: round(index, 4), seconds: round(seconds, 2)}));
      return readings.reduce((one, other) => (sign * other.index > sign * one.index ? other : one));
    };
    figures.mean = round(sum(steps.map(([, length, {index}]) => length * index)) / total, 4);
    figures.highest = most(1);
    figures.lowest = most(-1);
    figures.end = round(steps.at(-1)[2].index, 4);
    figures.positive = part((index) => index > NEUTRAL_ZONE);
    figures.negative = part((index) => index < -NEUTRAL_ZONE);
    figures.neutral = round(1 - figures.positive - figures.negative, 4);
  }
  return {...figures, dwell: told};
}

function nearest(curve, seconds) {
  if (!curve.length) return null;
  const distance = (point) => Math.abs(point.seconds - seconds);
  return curve.reduce((one, other) => (distance(other) < distance(one) ? other : one)).room;
}
