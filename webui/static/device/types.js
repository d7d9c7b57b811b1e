// The vocabulary that every other module shares: faces, pictures, and what is said of them. Counterpart of inference/types.py.

import {CONSTANTS} from "./constants.js";
import {argmax, round, sum} from "./numbers.js";

const {
  ADULT,
  AGE_COVERAGE,
  AGES,
  CLASS_SHARES,
  COLUMNS_IN_CROWD,
  CONSENSUS_TEMPERATURE,
  CROWD,
  CROWD_SHARE,
  EMOTIONS,
  GENDER_SURE,
  GENDERS,
  MINOR_DOUBT,
  NOT_SURE,
  PRIOR_CORRECTION,
  WIDEST_AGE_RANGE,
} = CONSTANTS.types;

const same = (value) => value;

// The kind of numbers that an array holds: what a result is rounded to, as numpy does after each step.
const precision = (values) => (values instanceof Float32Array ? Math.fround : same);

function cumulative(values, rounded) {
  let total = 0;
  return Array.from(values, (value) => (total = rounded(total + value)));
}

// The median of an age distribution: years as ages are told, 31.0 in the middle of the year in which one is 31.
export function centralAge(distribution) {
  const rounded = precision(distribution),
    least = rounded(1e-9);
  let years = 0;
  cumulative(distribution, rounded).forEach((below, year) => {
    const before = rounded(below - distribution[year]),
      part = rounded(rounded(0.5 - before) / Math.max(distribution[year], least));
    years = rounded(years + Math.min(Math.max(part, 0), 1));
  });
  return Math.max(years - 0.5, 0);
}

// First and last year, both included, of the range that holds the age at the rate AGE_COVERAGE. Where it would lie wholly from
// ADULT up although a minor is not improbable, it begins below.
export function ageRange(distribution) {
  const rounded = precision(distribution),
    below = cumulative(distribution, rounded),
    tail = (1 - AGE_COVERAGE) / 2;
  let [first, last] = [tail, 1 - tail].map((level) => below.filter((part) => part < rounded(level)).length);
  if (below[ADULT - 1] >= rounded(MINOR_DOUBT)) first = Math.min(first, ADULT - 1);
  return [Math.min(first, AGES - 1), Math.min(last, AGES - 1)];
}

// What people are shown: the mean of the network's two answers, probabilities (7,) and crowd (8,), over the seven classes, corrected
// for their frequency; without a crowd, the probabilities. In the precision of the probabilities.
export function consensus(probabilities, crowd) {
  if (crowd === null) return probabilities;
  const rounded = precision(probabilities),
    total = (values) => values.reduce((one, other) => rounded(one + other), 0);
  // A crowd that says nothing but contempt has no say, instead of a division by 0.
  const tiny = rounded(1e-12),
    named = COLUMNS_IN_CROWD.map((column, place) => rounded(crowd[column] + rounded(tiny * probabilities[place]))),
    all = total(named),
    power = rounded(1 / CONSENSUS_TEMPERATURE);
  const shown = named.map((value, place) => {
    const crowdPart = rounded(rounded(CROWD_SHARE * value) / all),
      mean = rounded(rounded((1 - CROWD_SHARE) * probabilities[place]) + crowdPart);
    return rounded(rounded(mean ** power) * rounded(CLASS_SHARES[place] ** -PRIOR_CORRECTION));
  });
  const every = total(shown);
  return probabilities.constructor.from(shown, (value) => rounded(value / every));
}

const byLabel = (labels, values) => Object.fromEntries(labels.map((label, place) => [label, round(values[place], 6)]));

const POINTS = ["leftEye", "rightEye", "nose", "mouth"];

// The same place of a detection in a picture into which `carry` takes each point (x, y), by shifts, scales and quarter turns.
export function mapped(detection, carry) {
  const [x1, y1, x2, y2] = detection.box;
  const [first, last] = [carry(x1, y1), carry(x2, y2)];
  const [left, right] = first[0] <= last[0] ? [first[0], last[0]] : [last[0], first[0]];
  const [top, bottom] = first[1] <= last[1] ? [first[1], last[1]] : [last[1], first[1]];
  const place = {...detection, box: [left, top, right, bottom]};
  for (const name of POINTS) if (detection[name]) place[name] = carry(...detection[name]);
  return place;
}

export const scaled = (detection, factor) => mapped(detection, (x, y) => [factor * x, factor * y]);

export const moved = (detection, right, down) => mapped(detection, (x, y) => [x + right, y + down]);

// One face of a picture and what the networks say of it. detection: {box: [x1, y1, x2, y2], score, leftEye: [x, y], rightEye, nose,
// mouth, search} in pixels of the picture. crop: Uint8Array, the square grey face that the emotion network saw. The distributions
// are Float32Arrays, null where the model does not say or was not asked. quality: as in Python, with `issues`; or null.
export class Face {
  constructor(
    detection,
    crop,
    probabilities,
    {crowd = null, activation = null, ageDistribution = null, gender = null, quality = null} = {},
  ) {
    Object.assign(this, {detection, crop, probabilities, crowd, activation, ageDistribution, gender, quality});
  }

  // The leading one of `probabilities`.
  get emotion() {
    return EMOTIONS[argmax(this.probabilities)];
  }

  // Float32Array (7,), in the order of EMOTIONS: both answers together.
  get consensus() {
    return consensus(this.probabilities, this.crowd);
  }

  get shown() {
    return EMOTIONS[argmax(this.consensus)];
  }

  // Whether `shown` is more likely right than wrong.
  get sure() {
    return Math.max(...this.consensus) >= Math.fround(NOT_SURE);
  }

  get issues() {
    return this.quality?.issues ?? [];
  }

  get age() {
    return this.ageDistribution && centralAge(this.ageDistribution);
  }

  get ageRange() {
    return this.ageDistribution && ageRange(this.ageDistribution);
  }

  get ageSure() {
    if (!this.ageDistribution) return false;
    const [first, last] = this.ageRange;
    return last - first <= WIDEST_AGE_RANGE;
  }

  get apparentGender() {
    return this.gender && GENDERS[argmax(this.gender)];
  }

  get genderSure() {
    return this.gender !== null && Math.max(...this.gender) >= Math.fround(GENDER_SURE);
  }

  // As JSON; see `Face.to_dict` of Python.
  toDict() {
    const {box, score, search} = this.detection;
    const entry = {
      box: box.map((value) => round(value)),
      score: round(score, 4),
      search,
      emotion: this.emotion,
      probabilities: byLabel(EMOTIONS, this.probabilities),
      shown: this.shown,
      sure: this.sure,
      consensus: byLabel(EMOTIONS, this.consensus),
    };
    if (this.crowd) entry.crowd = byLabel(CROWD, this.crowd);
    if (this.quality) {
      const told = ([name, value]) => [name, typeof value === "number" ? round(value, 3) : value];
      entry.quality = Object.fromEntries(Object.entries(this.quality).map(told));
    }
    if (this.ageDistribution) {
      Object.assign(entry, {age: round(this.age, 1), age_range: this.ageRange, age_sure: this.ageSure});
      entry.age_distribution = Array.from(this.ageDistribution, (value) => round(value, 6));
    }
    if (this.gender) {
      Object.assign(entry, {apparent_gender: this.apparentGender, gender_sure: this.genderSure});
      entry.gender = byLabel(GENDERS, this.gender);
    }
    return entry;
  }
}

// What was found in one picture. faces: row by row from the top, each row from left to right. provider: what classified.
export class Analysis {
  constructor(width, height, faces, provider, detectionMilliseconds, classificationMilliseconds) {
    Object.assign(this, {width, height, faces, provider, detectionMilliseconds, classificationMilliseconds});
  }

  // As JSON; see `Analysis.to_dict` of Python.
  toDict() {
    return {
      width: this.width,
      height: this.height,
      faces: this.faces.map((face) => face.toDict()),
      provider: this.provider,
      milliseconds: round(sum([this.detectionMilliseconds, this.classificationMilliseconds]), 2),
      detection_milliseconds: round(this.detectionMilliseconds, 2),
      classification_milliseconds: round(this.classificationMilliseconds, 2),
    };
  }
}
