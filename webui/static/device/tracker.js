// The same people from frame to frame: ids that stay, and answers averaged over time. Counterpart of inference/tracker.py, which
// says why each step is as it is.

import {CONSTANTS} from "./constants.js";
import {resizeArea} from "./images.js";
import {dot, sum} from "./numbers.js";
import {Face} from "./types.js";

const {
  CALM,
  DOUBTED_NEWCOMER,
  EMOTION_SECONDS,
  FIRST_SPEED,
  LENGTHS,
  LONGEST_GAP,
  LOOKS,
  LOOKS_MIDDLE,
  LOOKS_MOST,
  LOOKS_SECONDS,
  LOOKS_SLOPE,
  NEWCOMER,
  NOISE,
  PERSON_SECONDS,
  PIXEL_NOISE,
  REACH,
  REACH_PER_SECOND,
  RESTLESS,
  SIZE_HORIZON,
  SIZE_SPREAD,
  SIZE_SPREAD_PER_SECOND,
  SURPRISE,
  TAIL,
  THUMBNAIL,
  TOUCHED,
  TURN,
  YOUNG_GAP,
} = CONSTANTS.tracker;

// The distributions of a Face that are averaged: where each begins and ends in a row of averages. The looks are the rest.
const PARTS = Object.entries(CONSTANTS.tracker.PARTS).map(([name, [start, stop]]) => ({
  name: name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()),
  start,
  stop,
}));
const LENGTH = sum(LENGTHS);
const TIME_CONSTANTS = [EMOTION_SECONDS, EMOTION_SECONDS, PERSON_SECONDS, PERSON_SECONDS, LOOKS_SECONDS];

// Gives the faces of a stream ids and averages what is said of them. A face of a frame and who it is, TrackedFace of Python, is
// {id, measured, smoothed, seconds}: a number from 1, this frame's face, the same person's averaged over time, and for how long this
// person has been followed.
export class FaceTracker {
  lastId = 0; // of the ids that were given
  #people = [];
  #now = -Infinity;

  // Where everybody should be at a time: [id, detection] of those who will not have been forgotten by then, in the order of their ids.
  predict(seconds) {
    const now = Math.max(finite(seconds), this.#now);
    return this.#people
      .filter((person) => this.#remembers(person, now))
      .map((person) => [person.id, detectionAt(person.expected(now), person)]);
  }

  // Nobody is known any more: whoever is seen next gets a new id.
  forget() {
    this.#people = [];
  }

  // Follow everybody to the next frame: one TrackedFace for each face, in the same order. doubted: the frame may be of another scene,
  // so that who looks otherwise is somebody else, also at the same place.
  update(faces, seconds, doubted = false) {
    if (finite(seconds) < this.#now - LONGEST_GAP) {
      this.forget();
      this.#now = seconds;
    }
    const now = Math.max(seconds, this.#now);
    this.#people = this.#people.filter((person) => this.#remembers(person, now));
    this.#now = now;
    const places = faces.map((face) => placeOf(face.detection)),
      alone = aloneAmong(places),
      values = faces.map((face, place) => valuesOf(face, alone[place]));
    const known = this.#match(places, values, alone, now, doubted ? DOUBTED_NEWCOMER : NEWCOMER);
    return faces.map((face, number) => {
      let person = known[number];
      const {mean, present} = values[number];
      if (person) {
        person.move(places[number], face.detection, now);
      } else {
        person = new Person(++this.lastId, now, places[number], face.detection);
        this.#people.push(person);
        present[LENGTHS.length - 1] = true;
      }
      person.average(mean, present, now);
      return {id: person.id, measured: face, smoothed: smoothedFace(face, person), seconds: now - person.born};
    });
  }

  #remembers(person, now) {
    // At a slow frame rate the next frame may come after YOUNG_GAP: nobody is forgotten before missing a frame.
    const limit = person.seen === person.born && person.seen < this.#now ? YOUNG_GAP : LONGEST_GAP;
    return now - person.seen <= limit + 1e-6; // a frame just at the limit still counts, whatever the rounding
  }

  // Who each face is; null for newcomers.
  #match(places, values, alone, now, newcomer) {
    const expectations = this.#people.map((person) => {
      const [x, y, width, height] = person.expected(now),
        elapsed = now - person.seen,
        spread = person.variance(elapsed) + (REACH + (REACH_PER_SECOND * elapsed ** 2) / (elapsed + TURN)) ** 2;
      return {
        x,
        y,
        area: width * height,
        spread: spread * width * height,
        growthSpread: SIZE_SPREAD + SIZE_SPREAD_PER_SECOND * elapsed,
        start: newcomer - Math.log(spread / REACH ** 2),
        looks: person.mean.subarray(-LOOKS),
        length: Math.sqrt(dot(person.mean.subarray(-LOOKS), person.mean.subarray(-LOOKS))) + 1e-9,
      };
    });
    const ratios = places.map(([x, y, width, height], number) => {
      const looks = values[number].mean.subarray(-LOOKS);
      return expectations.map((expected) => {
        const alike = dot(looks, expected.looks) / expected.length,
          distance = ((x - expected.x) ** 2 + (y - expected.y) ** 2) / expected.spread,
          growth = Math.log((width * height) / expected.area) / 2 / expected.growthSpread,
          say = Math.min(Math.max(LOOKS_SLOPE * (alike - LOOKS_MIDDLE), -LOOKS_MOST), LOOKS_MOST);
        const far = ((TAIL + 2) / 2) * Math.log1p(distance / TAIL) + ((TAIL + 1) / 2) * Math.log1p(growth ** 2 / TAIL);
        return expected.start - far + say * (alone[number] ? 1 : TOUCHED);
      });
    });
    const matched = places.map(() => null);
    for (const [row, column] of assign(ratios)) matched[row] = this.#people[column];
    return matched;
  }
}

// Somebody who is followed. seen, score, placedAt: of the last frame with this person. place, speed: then, in pixels and pixels per second.
// covariance: variance of a coordinate of the place, covariance with its speed, variance of the speed, in sides of the face and seconds.
// mean: the averages. mass: how much each of them weighs. updated: seconds of each one's last value, -Infinity before there is one.
class Person {
  constructor(id, now, place, {score, placedAt}) {
    Object.assign(this, {id, born: now, seen: now, score, placedAt, place});
    this.speed = place.map(() => 0);
    this.covariance = [noiseOf(place), 0, FIRST_SPEED ** 2];
    this.mean = new Float32Array(LENGTH);
    this.mass = LENGTHS.map(() => 0);
    this.updated = LENGTHS.map(() => -Infinity);
  }

  // The place at a time.
  expected(now) {
    const elapsed = now - this.seen,
      short = Math.min(elapsed, SIZE_HORIZON),
      place = this.place.map((value, at) => value + this.speed[at] * short);
    place[0] += this.speed[0] * (elapsed - short);
    place[1] += this.speed[1] * (elapsed - short);
    place[2] = Math.max(place[2], this.place[2] / 2);
    place[3] = Math.max(place[3], this.place[3] / 2);
    return place;
  }

  // Of a coordinate that many seconds after the last frame, if the movement does not change.
  variance(elapsed) {
    const [place, both, speed] = this.covariance;
    return place + 2 * elapsed * both + elapsed ** 2 * speed + (CALM * elapsed ** 3) / 3;
  }

  // Correct the movement by a frame. Where something else placed the face than before, the difference is not movement: soon after the
  // last frame it would make a still face fly away.
  move(measured, {score, placedAt}, now) {
    const elapsed = now - this.seen,
      expected = this.expected(now),
      noise = noiseOf(expected),
      innovation = measured.map((value, at) => value - expected[at]),
      found = Math.hypot(...innovation) ** 2 / (innovation.length * expected[2] * expected[3]);
    const same = placedAt === this.placedAt;
    let predicted = this.variance(elapsed),
      acceleration = CALM;
    Object.assign(this, {seen: now, score, placedAt});
    if (!same) {
      this.place = measured;
      this.covariance = [noise, 0, this.covariance[2] + CALM * elapsed];
      return;
    }
    if (elapsed > 0 && found > SURPRISE * (predicted + noise)) {
      const added = Math.min(found - predicted - noise, (RESTLESS * elapsed ** 3) / 3);
      predicted += added;
      acceleration += (3 * added) / elapsed ** 3;
    }
    let [, both, speed] = this.covariance;
    both += elapsed * speed + (acceleration * elapsed ** 2) / 2;
    speed += acceleration * elapsed;
    const gain = predicted / (predicted + noise),
      speedGain = both / (predicted + noise);
    this.place = expected.map((value, at) => value + gain * innovation[at]);
    this.speed = this.speed.map((value, at) => value + speedGain * innovation[at]);
    this.covariance = [(1 - gain) * predicted, (1 - gain) * both, speed - speedGain * both];
  }

  // Take values into the means. A value counts for the time since the last one; the first, before which nothing is known, as much as
  // the second.
  average(values, present, now) {
    let stop = 0;
    LENGTHS.forEach((length, part) => {
      const start = stop;
      stop += length;
      if (!present[part]) return;
      const keep = Math.exp((this.updated[part] - now) / TIME_CONSTANTS[part]),
        weight = 1 - keep,
        mass = (this.mass[part] > 0 ? this.mass[part] : weight) * keep + weight,
        share = Math.fround(weight / Math.max(mass, 1e-12));
      for (let at = start; at < stop; at++) {
        this.mean[at] += Math.fround(Math.fround(values[at] - this.mean[at]) * share);
      }
      if (this.updated[part] > -Infinity) this.mass[part] = mass;
      this.updated[part] = now;
    });
  }
}

// What is averaged of a face, Float32Array, and what of it exists. A crop in which another face is seen too says less of a person's
// looks, and would teach the wrong ones.
function valuesOf(face, alone) {
  const mean = new Float32Array(LENGTH);
  const present = PARTS.map(({name, start}) => {
    if (face[name]) mean.set(face[name], start);
    return face[name] !== null;
  });
  // Without brightness and contrast, of length 1: the product of two is their correlation.
  const side = Math.sqrt(face.crop.length),
    small = [...resizeArea({data: face.crop, width: side, height: side}, THUMBNAIL, THUMBNAIL).data],
    middle = sum(small) / LOOKS,
    rest = small.map((value) => value - middle),
    length = Math.sqrt(dot(rest, rest)) + 1e-6;
  mean.set(
    rest.map((value) => value / length),
    LENGTH - LOOKS,
  );
  return {mean, present: [...present, alone]};
}

function smoothedFace(face, person) {
  const averages = PARTS.map(({name, start, stop}, part) => [
    name,
    person.updated[part] > -Infinity ? person.mean.slice(start, stop) : null,
  ]);
  const {probabilities, ...others} = Object.fromEntries(averages);
  const {activation, quality} = face;
  return new Face(detectionAt(person.place, person), face.crop, probabilities, {...others, activation, quality});
}

// Pairs of a row and a column, by row, so that the sum of their ratios is largest; pairs that are not above 0 stay apart.
export function assign(ratios) {
  const wanted = ratios.map((line) => line.flatMap((ratio, column) => (ratio > 0 ? [column] : [])));
  const rivals = new Map();
  for (const column of wanted.flat()) rivals.set(column, (rivals.get(column) ?? 0) + 1);
  const pairs = [],
    contested = [];
  wanted.forEach((columns, row) => {
    if (columns.length === 1 && rivals.get(columns[0]) === 1) pairs.push([row, columns[0]]);
    else if (columns.length) contested.push(row);
  });
  if (contested.length) {
    const columns = [...new Set(contested.flatMap((row) => wanted[row]))].sort((one, other) => one - other);
    // A row may stay alone at no cost: a column of its own.
    const alone = contested.map(() => 0),
      costs = contested.map((row) => [...columns.map((column) => Math.min(-ratios[row][column], 0)), ...alone]);
    hungarian(costs).forEach((place, at) => {
      const row = contested[at];
      if (place < columns.length && ratios[row][columns[place]] > 0) pairs.push([row, columns[place]]);
    });
  }
  return pairs.sort(([one], [other]) => one - other);
}

// The column of each row in the cheapest assignment; no more rows than columns.
function hungarian(costs) {
  const width = costs[0].length,
    rowPrice = costs.map(() => 0),
    columnPrice = Array(width).fill(0),
    rowOf = Array(width).fill(-1);
  for (let start = 0; start < costs.length; start++) {
    const distance = Array(width).fill(Infinity),
      before = Array(width).fill(-1),
      done = Array(width).fill(false),
      reached = [];
    let row = start,
      column = -1;
    while (true) {
      let best = Infinity,
        following = -1;
      const base = column >= 0 ? distance[column] : 0;
      for (let other = 0; other < width; other++) {
        if (done[other]) continue;
        const length = base + costs[row][other] - rowPrice[row] - columnPrice[other];
        if (length < distance[other]) {
          distance[other] = length;
          before[other] = column;
        }
        if (distance[other] < best) {
          best = distance[other];
          following = other;
        }
      }
      column = following;
      done[column] = true;
      if (rowOf[column] < 0) break;
      reached.push(column);
      row = rowOf[column];
    }
    rowPrice[start] += distance[column];
    for (const other of reached) {
      rowPrice[rowOf[other]] += distance[column] - distance[other];
      columnPrice[other] -= distance[column] - distance[other];
    }
    while (column >= 0) {
      const previous = before[column];
      rowOf[column] = previous >= 0 ? rowOf[previous] : start;
      column = previous;
    }
  }
  const result = costs.map(() => -1);
  rowOf.forEach((row, column) => {
    if (row >= 0) result[row] = column;
  });
  return result;
}

// Centre x and y, width, height, and both eyes (x, y) as seen from the centre, in pixels.
function placeOf({box: [x1, y1, x2, y2], leftEye, rightEye}) {
  const x = (x1 + x2) / 2,
    y = (y1 + y2) / 2;
  return [
    x,
    y,
    Math.max(x2 - x1, 1),
    Math.max(y2 - y1, 1),
    leftEye[0] - x,
    leftEye[1] - y,
    rightEye[0] - x,
    rightEye[1] - y,
  ];
}

function detectionAt([x, y, width, height, leftX, leftY, rightX, rightY], {score, placedAt}) {
  return {
    box: [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
    score,
    leftEye: [x + leftX, y + leftY],
    rightEye: [x + rightX, y + rightY],
    nose: null,
    mouth: null,
    search: "short_range",
    placedAt,
  };
}

// Which of the boxes share nothing with another.
function aloneAmong(places) {
  const touches = ([x, y, width, height], [otherX, otherY, otherWidth, otherHeight]) =>
    x - width / 2 < otherX + otherWidth / 2 &&
    otherX - otherWidth / 2 < x + width / 2 &&
    y - height / 2 < otherY + otherHeight / 2 &&
    otherY - otherHeight / 2 < y + height / 2;
  return places.map((place) => places.every((other) => other === place || !touches(place, other)));
}

// Variance of a measured coordinate in squared sides of the face.
const noiseOf = (place) => NOISE ** 2 + PIXEL_NOISE ** 2 / (place[2] * place[3]);

function finite(seconds) {
  if (!Number.isFinite(seconds))
    throw new RangeError(`a frame's time must be a finite number of seconds, not ${seconds}`);
  return seconds;
}
