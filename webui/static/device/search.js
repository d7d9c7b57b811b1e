// Places in a picture that may be a face, by YuNet: inference/search.py.

import {CONSTANTS} from "./constants.js";
import {planesOf, quarterTurned, resizeArea, resizeLinear} from "./images.js";
import {Network} from "./network.js";
import {round} from "./numbers.js";
import {moved, scaled as scaledPlace} from "./types.js";

const {
  BOUNDED_LINEARLY,
  CANDIDATE_SCORE,
  CROWD_PIXELS,
  ENLARGED,
  FILE,
  FINE_SIDE,
  MAX_OVERLAP,
  MAX_PIXELS,
  SAME_PLACE,
  STEPS,
  STRIDES,
  SURE_SCORE,
  TILE_OVERLAP,
  TILE_SIDE,
  WHOLE_SIDE,
} = CONSTANTS.search;
const KINDS = ["cls", "obj", "bbox", "kps"];
const NAMES = STRIDES.flatMap((stride) => KINDS.map((kind) => `${kind}_${stride}`));
const LARGEST_STRIDE = STRIDES.at(-1);

const {fround, min, max, sqrt} = Math;
const padded = (side) => Math.ceil(side / LARGEST_STRIDE) * LARGEST_STRIDE;

export class FaceSearch {
  static async open(place) {
    return new FaceSearch(await Network.open(place, FILE));
  }

  constructor(network) {
    this.network = network;
  }

  // What the model sees in pictures of one size, or in one part {x, y, width, height} of each, in one run: for each its candidates in
  // the part's pixels, from the highest score to the lowest, none twice.
  async see(images, part) {
    const outputs = await this.#run(images, part);
    const {width, height} = part ?? images[0];
    return images.map((_, number) => decode(outputs, number, max(width, height)));
  }

  // How much of a face the model sees in the middle of pictures of one size, in one run: the highest score of a place whose box's
  // middle lies less than `reach` pixels from the picture's, to each side; 0 where there is none.
  async middleScores(images, reach) {
    const {arrays, width} = await this.#run(images);
    const [middleX, middleY] = [images[0].width / 2, images[0].height / 2];
    return images.map((_, number) => {
      let best = 0;
      STRIDES.forEach((stride, level) => {
        const [cls, obj, box] = arrays[level];
        const cells = cls.length / images.length;
        const columns = width / stride;
        for (let cell = 0, at = number * cells; cell < cells; cell++, at++) {
          const x = ((cell % columns) + box[4 * at]) * stride;
          const y = (Math.floor(cell / columns) + box[4 * at + 1]) * stride;
          if (Math.abs(x - middleX) < reach && Math.abs(y - middleY) < reach) best = max(best, score(cls[at], obj[at]));
        }
      });
      return best;
    });
  }

  async #run(images, {x, y, width, height} = {x: 0, y: 0, width: images[0].width, height: images[0].height}) {
    const [wide, high] = [padded(width), padded(height)];
    const all = images.map((image) => planesOf(image, {x, y, width, height}, wide, high));
    const outputs = await this.network.run(NAMES, {input: [joined(all), [images.length, 3, high, wide]]});
    const arrays = STRIDES.map((stride) => KINDS.map((kind) => outputs[`${kind}_${stride}`].data));
    return {arrays, width: wide, count: images.length};
  }

  // Small faces of a picture: what is seen at full size, of small pictures at FINE_SIDE; where there are very small ones also at twice
  // that size. Up to MAX_PIXELS in all. For `reduced` see `seeScaled`.
  async fine(image, reduced) {
    const longer = max(image.width, image.height);
    const most = sqrt(MAX_PIXELS / (image.width * image.height));
    const factor = min(max(longer, FINE_SIDE) / longer, ENLARGED, most);
    const found = await this.seeScaled(image, factor);
    const finer = min(2 * factor, most);
    // Of what a tile's edge cuts a part is small.
    if (finer > 1.2 * factor && suppress(found).some(({box}) => box[3] - box[1] < CROWD_PIXELS / factor)) {
      found.push(...(await this.seeScaled(image, finer)));
    }
    // In tiles, which cut large faces.
    if (longer * factor > WHOLE_SIDE) found.push(...(await this.seeScaled(image, FINE_SIDE / longer, reduced)));
    return found.sort((one, other) => other.score - one.score);
  }

  // What is seen in a picture scaled to a longer side in pixels and turned by some quarters, counterclockwise: for each of them places
  // in pixels of the picture (not scaled) turned so. For `reduced` see `seeScaled`.
  async turns(image, longer, turns = [0, 1, 2, 3], reduced = undefined) {
    const factor = longer / max(image.width, image.height);
    const picture = scaledFrom(image, factor, reduced);
    const found = new Map();
    for (const odd of [0, 1]) {
      const several = turns.filter((turn) => turn % 2 === odd);
      // Those of one size in one run, no larger than a tile's: what the runtime takes it keeps.
      const atOnce = max(Math.floor(WHOLE_SIDE ** 2 / (picture.width * picture.height)), 1);
      for (let start = 0; start < several.length; start += atOnce) {
        const part = several.slice(start, start + atOnce);
        const seen = await this.see(part.map((turn) => quarterTurned(picture, turn)));
        part.forEach((turn, number) => found.set(turn, seen[number]));
      }
    }
    return turns.map((turn) => found.get(turn).map((place) => scaledPlace(place, 1 / factor)));
  }

  // What the model sees in a picture scaled by a factor, in tiles where that is large, in the picture's pixels. reduced: the same picture
  // scaled down, from which it is scaled further where that will do.
  async seeScaled(image, factor, reduced) {
    const picture = scaledFrom(image, factor, reduced);
    const back = 1 / sqrt((picture.width / image.width) * (picture.height / image.height));
    const found = [];
    for (const tile of tiles(picture)) {
      for (const place of (await this.see([picture], tile))[0]) {
        found.push(scaledPlace(tile.x || tile.y ? moved(place, tile.x, tile.y) : place, back));
      }
    }
    return found;
  }
}

function joined(arrays) {
  if (arrays.length === 1) return arrays[0];
  const whole = new Float32Array(arrays.length * arrays[0].length);
  arrays.forEach((array, number) => whole.set(array, number * array.length));
  return whole;
}

// Pixels of what a model sees, rounded to STEPS.
export const inSteps = (pixels) => Math.floor(pixels * STEPS + 0.5) / STEPS;

const clipped = (value) => min(max(value, 0), 1);
const score = (cls, obj) => fround(sqrt(fround(clipped(cls) * clipped(obj))));

// The candidates of one picture of a batch.
function decode({arrays, width, count}, number, placedAt) {
  const least = fround(CANDIDATE_SCORE);
  const found = [];
  STRIDES.forEach((stride, level) => {
    const [cls, obj, box, points] = arrays[level];
    const cells = cls.length / count;
    const columns = width / stride;
    for (let cell = 0, at = number * cells; cell < cells; cell++, at++) {
      const value = score(cls[at], obj[at]);
      if (!(value >= least)) continue;
      const column = cell % columns;
      const row = Math.floor(cell / columns);
      const [x, y] = [(column + box[4 * at]) * stride, (row + box[4 * at + 1]) * stride];
      const halfWidth = (Math.exp(box[4 * at + 2]) * stride) / 2;
      const halfHeight = (Math.exp(box[4 * at + 3]) * stride) / 2;
      const point = (k) => [
        inSteps((column + points[10 * at + 2 * k]) * stride),
        inSteps((row + points[10 * at + 2 * k + 1]) * stride),
      ];
      const [left, right] = [point(3), point(4)];
      found.push({
        box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight].map(inSteps),
        score: min(value, 1),
        leftEye: point(0),
        rightEye: point(1),
        nose: point(2),
        mouth: [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2],
        search: "yunet",
        placedAt,
      });
    }
  });
  found.sort((one, other) => other.score - one.score);
  return distinct(found, SAME_PLACE);
}

export function area([x1, y1, x2, y2]) {
  return max(x2 - x1, 0) * max(y2 - y1, 0);
}

// The area that two boxes share.
export function shared([a1, b1, a2, b2], [x1, y1, x2, y2]) {
  return max(min(a2, x2) - max(a1, x1), 0) * max(min(b2, y2) - max(b1, y1), 0);
}

// Non-maximum suppression by intersection over union: those of some places, the best first, that are kept.
function distinct(places, threshold) {
  const kept = [];
  for (const place of places) {
    const close = kept.some((other) => {
      const both = shared(place.box, other.box);
      return both > threshold * (area(place.box) + area(other.box) - both);
    });
    if (!close) kept.push(place);
  }
  return kept;
}

// Non-maximum suppression by the shared part of the smaller box. A sure face that is kept also rules out much smaller ones inside it,
// whatever their scores. Those that are kept, from the highest score to the lowest.
export function suppress(places) {
  const sorted = [...places].sort((one, other) => other.score - one.score);
  return apart(sorted, apart(sorted, sorted));
}

// Those of some places, the best first, that share little with a better one, and that are not inside a sure one of others.
function apart(places, others) {
  const sure = others.filter(({score}) => score >= SURE_SCORE);
  const kept = [];
  for (const place of places) {
    const close = ({box}) => shared(place.box, box) > MAX_OVERLAP * min(area(place.box), area(box));
    if (!sure.some((other) => isInside(place, other)) && !kept.some(close)) kept.push(place);
  }
  return kept;
}

// Whether a place lies inside another one and is much smaller.
function isInside({box}, other) {
  return area(box) < 0.4 * area(other.box) && shared(box, other.box) > 0.6 * area(box);
}

// Those of some places that lie inside another one and are much smaller.
export function within(places, others) {
  return places.filter((place) => others.some((other) => isInside(place, other)));
}

// Overlapping tiles of one size that cover a picture.
function tiles(image) {
  const whole = max(image.width, image.height) <= WHOLE_SIDE;
  const [across, down] = [image.width, image.height].map((side) => {
    const count = whole || side <= TILE_SIDE ? 1 : Math.ceil((side - TILE_OVERLAP) / (TILE_SIDE - TILE_OVERLAP));
    // No larger than they must be: as large as makes them meet with the overlap.
    const size = Math.ceil((side + (count - 1) * TILE_OVERLAP) / count);
    const starts = Array.from({length: count}, (_, k) => round(count > 1 ? (k * (side - size)) / (count - 1) : 0));
    return {size, starts};
  });
  return down.starts.flatMap((y) => across.starts.map((x) => ({x, y, width: across.size, height: down.size})));
}

// A picture of at most MAX_PIXELS, and the factor by which it was scaled.
export function bounded(image) {
  const factor = min(sqrt(MAX_PIXELS / (image.width * image.height)), 1);
  return {small: scaled(image, factor, BOUNDED_LINEARLY), factor};
}

// `scaled`, from the same picture reduced where that is large enough.
function scaledFrom(image, factor, reduced) {
  const longer = max(image.width, image.height);
  const least = reduced ? max(reduced.width, reduced.height) : 0;
  return factor * longer < least + 0.5 ? scaled(reduced, factor * (longer / least)) : scaled(image, factor);
}

// A picture scaled, averaged down or, from a factor on, linearly.
export function scaled(image, factor, linearly = 1) {
  const [width, height] = [image.width, image.height].map((side) => max(round(side * factor), 1));
  if (width === image.width && height === image.height) return image;
  return factor < linearly ? resizeArea(image, width, height) : resizeLinear(image, width, height);
}
