// Faces in a picture, searched for by YuNet, seen from near and followed by BlazeFace: inference/detector.py.

import {cutSquare} from "./alignment.js";
import {BlazeFace} from "./blazeface.js";
import {CONSTANTS} from "./constants.js";
import {FaceCheck} from "./face_check.js";
import {invertAffine, quarterTurned} from "./images.js";
import {argmax, sum} from "./numbers.js";
import {area, bounded, FaceSearch, scaled as scaledPicture, shared, suppress, within} from "./search.js";
import {IfadeError, lacksMemory} from "./sentences.js";
import {mapped, scaled} from "./types.js";

const {
  BOX_LOWERED,
  BOX_SIDE,
  CERTAIN,
  CLEAR,
  FEW_FACES,
  FOLLOW_PIXELS,
  FOLLOW_SIDE,
  LARGE_SIDE,
  LOWERED,
  NEAR_SCORE,
  NEAR_SIDE,
  OUTWEIGHED,
  SAME_FACE,
  SAME_PLACE,
  SURE_LOOK,
  SURELY_UPRIGHT,
  TRACKED_MIN_PART,
  TRACKED_MIN_SCORE,
  TURN_PIXELS,
  TURN_SCORE,
  TURNED,
  TURNED_SIDE,
  VERIFY_EVERY,
} = CONSTANTS.detector;
const {INPUT_SIZE} = CONSTANTS.blazeface;
const {COARSE_SIDE, FINE_SIDE, MAX_OVERLAP, NEAREST_SIDE, SURE_SCORE, WHOLE_SIDE} = CONSTANTS.search;
const {MIN_SCORE} = CONSTANTS.face_check;
const {abs, atan2, floor, hypot, max, min, sqrt} = Math;

// Points of a detection by their names in Python.
const POINTS = {left_eye: "leftEye", right_eye: "rightEye", nose: "nose", mouth: "mouth"};
const LOWERED_POINTS = Object.entries(LOWERED).map(([name, part]) => [POINTS[name], part]);

// Detection failed on a picture, which may be given again.
export class DetectorError extends IfadeError {}

// What is found, or DetectorError where a network failed. Where memory has run out the worker is replaced, see ../device.js.
async function orFailed(found) {
  try {
    return await found;
  } catch (error) {
    if (lacksMemory(error)) throw error;
    console.warn(error);
    throw new DetectorError("detector_failed");
  }
}

export class FaceDetector {
  // place: see Network.open.
  static async open(place) {
    const searcher = await FaceSearch.open(place);
    return new FaceDetector(searcher, await FaceCheck.open(place, searcher), await BlazeFace.open(place));
  }

  constructor(searcher, checker, near, minScore = MIN_SCORE) {
    Object.assign(this, {searcher, checker, near, minScore});
  }

  // All faces of a picture, in its pixels, from the largest to the smallest.
  detect(image) {
    return orFailed(this.#detect(image));
  }

  async #detect(image) {
    // Reading all pixels of a large picture takes long, and is done once for all searches.
    const {small, factor} = bounded(image);
    const {turn, ...both} = await this.candidates(small);
    const [places, seen] = [both.places, both.seen].map((some) => some.map((place) => scaled(place, 1 / factor)));
    const [upright, smallUpright] = [image, small].map((picture) => quarterTurned(picture, turn));
    const found = await this.#confirm(upright, places, 0, smallUpright);
    // What turns out to be no face rules out none of those inside it.
    const others = places.filter(
      (place) => place.score >= SURE_SCORE && !found.some((face) => iou(place.box, face.box) >= SAME_FACE),
    );
    const hidden = suppress(within(seen, others));
    const known = sum(found.map(({score}) => score));
    return suppress([...found, ...(await this.#confirm(upright, hidden, known, smallUpright))])
      .map((face) => quarterTurnedPlace(face, -turn, upright))
      .sort((one, other) => area(other.box) - area(one.box));
  }

  // By how many quarters, counterclockwise, a picture of at most MAX_PIXELS is to be turned to be upright, and the places in pixels of the
  // picture turned so that may be a face, none twice, and all that was seen upright in it.
  async candidates(image) {
    const {searcher} = this;
    const longer = max(image.width, image.height);
    const reduced = scaledPicture(image, min(FINE_SIDE / longer, 1));
    let fine = await searcher.fine(image, reduced);
    const level = await searcher.seeScaled(image, NEAREST_SIDE / longer, reduced);
    const factor = COARSE_SIDE / longer;
    const smallest = TURN_PIXELS / factor;
    // Up to that size the fine search sees as much, and where it is certain another size tells nothing new.
    const certain = longer <= FINE_SIDE && fine.length > 0 && fine.every(({score}) => score >= CERTAIN);
    level.push(...(certain && isUpright(level, smallest) ? fine : await searcher.seeScaled(image, factor, reduced)));
    // Where most faces are surely upright, a closer look is taken in those turns alone in which a quick one shows others.
    let aside = TURNED.map(() => []);
    let turns = TURNED;
    if (isUpright(level, smallest)) {
      aside = await searcher.turns(image, min(TURNED_SIDE, longer), TURNED, reduced);
      turns = unsure(level, carried(aside, image));
    }
    if (turns.length) {
      const near = await searcher.turns(image, NEAREST_SIDE, turns, reduced);
      const far = await searcher.turns(image, factor * longer, turns, reduced);
      const closer = new Map(turns.map((turn, number) => [turn, [...near[number], ...far[number]]]));
      aside = aside.map((places, number) => closer.get(TURNED[number]) ?? places);
    }
    const coarse = [level, ...aside].map(suppress);
    // Small faces alone tell it only at a size at which they are large enough; some that are surely upright settle it.
    let turn = clearest(coarse, factor);
    for (const side of [FINE_SIDE, WHOLE_SIDE]) {
      if (turn === null && longer > side / 2 && fine.length && fine[0].score < SURELY_UPRIGHT) {
        turn = clearest(await searcher.turns(image, side, undefined, reduced), side / longer);
      }
    }
    if (turn) {
      const turned = await searcher.fine(quarterTurned(image, turn));
      // One thing that looks like a face in another turn does not outweigh a crowd.
      if (clearness(fine) > OUTWEIGHED * clearness(turned)) turn = 0;
      else fine = turned;
    }
    turn ??= 0;
    const seen = [...[level, ...aside][turn], ...fine];
    const places = suppress([...coarse[turn], ...fine]);
    const lying = [...carried(coarse.slice(1), image).flat(), ...(turn ? coarse[0] : [])];
    const turned = lying.map((place) => quarterTurnedPlace(place, turn, image));
    return {turn, places: suppress([...places, ...turned]), seen};
  }

  // The faces of a frame of a stream, most of which were seen in the frame before. expected: where they should be by now. search: look for
  // new faces too; thorough: for smaller ones. turn: the number of the frame. The scores of those who were expected are kept.
  follow(...frame) {
    return orFailed(this.#follow(...frame));
  }

  async #follow(image, expected, search, thorough = false, turn = 0) {
    const {width, height} = image;
    const longer = max(width, height);
    expected = expected.filter(({box}) => {
      const [x, y] = center(box);
      return x >= 0 && x < width && y >= 0 && y < height;
    });
    let found = [];
    let missed = expected;
    if (expected.length <= FEW_FACES) {
      const looks = await this.lookAgain(image, expected);
      const seen = looks.map((look) => look !== null && look.score >= TRACKED_MIN_SCORE);
      found = looks
        .map((look, number) => ({...look, score: expected[number].score}))
        .filter((_, number) => seen[number]);
      missed = expected.filter((_, number) => !seen[number]);
    }
    search = search || thorough || expected.length === 0;
    const factors = [];
    if (missed.length) {
      const smallest = min(...missed.map(({box}) => max(box[2] - box[0], 1)));
      // At the size of the last frame while that will do: at another one places move by up to a twentieth of a face's side.
      let factor = max(...missed.map(({placedAt}) => placedAt)) / longer;
      const pixels = smallest * factor * sqrt(2);
      if (!(FOLLOW_PIXELS <= pixels && pixels <= 2 * FOLLOW_PIXELS)) {
        factor = max(NEAREST_SIDE / longer, min(FOLLOW_PIXELS / smallest, FOLLOW_SIDE / longer, 1));
      }
      factors.push(factor);
    }
    if (search) {
      const factor = max(COARSE_SIDE / longer, thorough ? min(FOLLOW_SIDE / longer, 1) : 0, ...factors);
      if (!factors.includes(factor)) factors.push(factor);
    }
    const seen = [];
    for (const factor of factors) seen.push(await this.searcher.seeScaled(image, factor));
    if (expected.length === 0 && factors.at(-1) > COARSE_SIDE / longer) {
      // Large faces too, for which others wait for the next search.
      seen.at(-1).push(...(await this.searcher.seeScaled(image, COARSE_SIDE / longer)));
    }
    const verified = turn % VERIFY_EVERY === 0 ? floor(turn / VERIFY_EVERY) % max(missed.length, 1) : null;
    const known = sum(expected.map(({score}) => score));
    let left = [...missed.entries()];
    let unknown = [];
    for (const places of seen.map(suppress)) {
      const near = places.map(asNear);
      const fresh = new Set(places.keys());
      const pairs = left;
      left = [];
      for (const [number, face] of pairs) {
        const best = largest([...fresh], (index) => iou(near[index].box, face.box));
        if (best === undefined || iou(near[best].box, face.box) < SAME_FACE) {
          left.push([number, face]);
          continue;
        }
        fresh.delete(best);
        if (number !== verified || (await this.#isStillAFace(image, places[best], known - face.score))) {
          found.push({...near[best], box: clip(near[best].box, image), score: face.score});
        }
      }
      unknown = [...fresh]
        .filter((index) => !found.some((face) => overlap(near[index].box, face.box)))
        .map((index) => places[index]);
    }
    if (search) found.push(...(await this.#confirm(image, unknown, known)));
    return suppress(found);
  }

  // Whether a place of the search where a face was followed to is one; known is the sum of the scores of others.
  async #isStillAFace(image, place, known) {
    const looks = await this.lookAgain(image, [asNear(place)]);
    const [probability] = await this.checker.probabilities(image, [place], looks, known);
    return probability >= this.minScore * TRACKED_MIN_PART;
  }

  // Those of some places that are faces, by a look at each from near; known is the sum of the scores of others. A large picture may be given
  // small too.
  async #confirm(image, places, known = 0, small = image) {
    const near = places.map(asNear);
    const starts = await this.#starts(small, near, image);
    const looks = await this.lookAgain(
      image,
      starts.map((start, number) => start ?? near[number]),
    );
    // The check goes by a look from where YuNet saw the face, of which a sure one from elsewhere tells as much.
    const again = [...starts.keys()].filter((number) => starts[number] && !isSure(looks[number]));
    const checked = [...looks];
    const others = await this.lookAgain(
      image,
      again.map((number) => near[number]),
    );
    for (const [index, number] of again.entries()) {
      checked[number] = others[index];
      looks[number] ??= others[index];
    }
    const scores = await this.checker.probabilities(image, places, checked, known);
    const found = [];
    for (const [number, place] of near.entries()) {
      const score = scores[number];
      const look = looks[number];
      if (!(score >= this.minScore)) continue;
      const seen = look && look.score >= NEAR_SCORE && iou(look.box, place.box) >= SAME_FACE;
      const face = seen ? look : place;
      found.push({...face, box: clip(face.box, image), score, search: place.search});
    }
    return suppress(found);
  }

  // Where large faces among places are in a picture, given small, as BlazeFace sees it whole: they are looked at from there, as the faces
  // were that the networks learnt from. Null for others.
  async #starts(small, places, image) {
    const isLarge = ({box}) => box[2] - box[0] >= LARGE_SIDE * max(image.width, image.height);
    const seen = places.some(isLarge) ? (await this.near.look([small]))[0] : [];
    const whole = seen.map((face) => scaled(face, image.width / small.width));
    return places.map((place) => {
      const start = isLarge(place) ? largest(whole, (face) => iou(face.box, place.box)) : undefined;
      return start && iou(start.box, place.box) >= SAME_PLACE ? start : null;
    });
  }

  // The look from near at places of BlazeFace's form: each face as its model sees it, or null where it sees none.
  async lookAgain(image, places) {
    if (places.length === 0) return [];
    const cuts = places.map(({box, leftEye, rightEye}) => {
      const side = NEAR_SIDE * max(box[2] - box[0], box[3] - box[1]);
      const roll = atan2(rightEye[1] - leftEye[1], rightEye[0] - leftEye[0]);
      return cutSquare(image, {center: center(box), side, roll}, INPUT_SIZE, {black: true});
    });
    const looks = await this.near.look(cuts.map(({crop}) => crop));
    return cuts.map(({matrix}, number) => {
      // What is in the middle, not a neighbour's face.
      const reach = INPUT_SIZE / NEAR_SIDE / 2;
      const middle = looks[number].filter(({box}) => center(box).every((value) => abs(value - INPUT_SIZE / 2) < reach));
      if (middle.length === 0) return null;
      const best = carriedBy(
        largest(middle, ({score}) => score),
        invertAffine(matrix),
        image,
      );
      return area(best.box) > 0 ? best : null;
    });
  }
}

// Where BlazeFace would see a face that YuNet saw: a square box, all of it a little further down in the face.
export function asNear(place) {
  const [x1, y1, x2, y2] = place.box;
  const {leftEye, rightEye} = place;
  const side = sqrt(max(x2 - x1, 0) * max(y2 - y1, 0));
  const eyes = max(hypot(rightEye[0] - leftEye[0], rightEye[1] - leftEye[1]), 1e-6);
  const [right, down] = [(-(rightEye[1] - leftEye[1]) / eyes) * side, ((rightEye[0] - leftEye[0]) / eyes) * side];
  const lowered = ([x, y], part) => [x + part * right, y + part * down];
  const [x, y] = lowered(center(place.box), BOX_LOWERED);
  const half = (BOX_SIDE * side) / 2;
  const near = {...place, box: [x - half, y - half, x + half, y + half]};
  for (const [name, part] of LOWERED_POINTS) if (place[name]) near[name] = lowered(place[name], part);
  return near;
}

// The turn in which faces are seen most surely, by what was seen in each turn, in pixels of the picture, which was scaled by a factor to be
// searched; null where that says nothing.
function clearest(turns, factor) {
  const sums = turns.map((places) => clearness(places, TURN_PIXELS / factor));
  return max(...sums) >= CLEAR ? argmax(sums) : null;
}

// The sum of what the scores of places exceed TURN_SCORE by; of boxes of a height in pixels and more.
function clearness(places, smallest = 0) {
  return sum(places.map(({box, score}) => (box[3] - box[1] >= smallest ? max(score - TURN_SCORE, 0) : 0)));
}

// What was seen in a picture in each of TURNED, in pixels of the picture.
function carried(aside, {width, height}) {
  return TURNED.map((turn, number) => {
    const size = turn % 2 ? {width: height, height: width} : {width, height};
    return aside[number].map((place) => quarterTurnedPlace(place, -turn, size));
  });
}

// Whether a picture surely is upright, by what was seen in it as it is, of a height in pixels and more.
function isUpright(level, smallest) {
  return level.some(({box, score}) => score >= SURELY_UPRIGHT && box[3] - box[1] >= smallest);
}

// In which of the turns of an upright picture there may be other faces than in the picture as it is, by what was seen in it and in each of
// TURNED, in its pixels, where an upright face may be seen too, less well. All where what is seen in other turns is not outweighed.
function unsure(level, lying) {
  const known = new Set(level);
  const others = (places) => suppress([...level, ...places]).filter((place) => !known.has(place));
  if (OUTWEIGHED * clearness(others(lying.flat())) > clearness(suppress(level))) return TURNED;
  return TURNED.filter((_, number) => clearness(others(lying[number])) > 0);
}

const isSure = (look) => look !== null && look.score >= SURE_LOOK;

// The same place in a picture of that size turned by quarters, counterclockwise.
export function quarterTurnedPlace(place, turn, {width, height}) {
  const carry = [
    (x, y) => [x, y],
    (x, y) => [y, width - x],
    (x, y) => [width - x, height - y],
    (x, y) => [height - y, x],
  ];
  return mapped(place, carry[((turn % 4) + 4) % 4]);
}

// A detection carried into a picture by a similarity. A box stays upright: its centre and its size are carried.
function carriedBy(detection, [a, b, c, d, e, f], image) {
  const carry = (x, y) => [a * x + b * y + c, d * x + e * y + f];
  const [x1, y1, x2, y2] = detection.box;
  const scale = hypot(a, d);
  const [halfWidth, halfHeight] = [((x2 - x1) / 2) * scale, ((y2 - y1) / 2) * scale];
  const [x, y] = carry(...center(detection.box));
  const box = clip([x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], image);
  return {...mapped(detection, carry), box};
}

function clip([x1, y1, x2, y2], {width, height}) {
  return [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)];
}

const center = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];

const overlap = (box, other) => shared(box, other) > MAX_OVERLAP * min(area(box), area(other));

function iou(box, other) {
  const both = shared(box, other);
  return both / max(area(box) + area(other) - both, 1e-9);
}

// The one of which `value` is largest, the first of several; undefined where there is none.
function largest(items, value) {
  let [best, most] = [undefined, -Infinity];
  for (const item of items) {
    const own = value(item);
    if (own > most) [best, most] = [item, own];
  }
  return best;
}
