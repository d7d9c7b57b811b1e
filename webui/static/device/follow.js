// The faces of a stream of frames, found, followed and classified: inference/follow.py.

import {readingOrder} from "./analyzer.js";
import {CONSTANTS} from "./constants.js";
import {resizeArea, resizeNearest} from "./images.js";
import {dot} from "./numbers.js";
import {FaceTracker} from "./tracker.js";
import {Face, scaled} from "./types.js";

const {OTHER_SCENE, PERHAPS_OTHER_SCENE, SCENE_SAMPLES, SCENE_SECONDS, SCENE_SIDE} = CONSTANTS.follow;
const {SEARCH_SECONDS, THOROUGH_FRAMES, THOROUGH_SECONDS} = CONSTANTS.follow;

// One stream: a FaceAnalyzer, which may be shared, and a FaceTracker of its own. A frame is given when the last one is done.
export class FaceFollower {
  #analyzer;
  #framesBetween;
  #searched = -Infinity;
  #searchedThoroughly = -Infinity;
  #thoroughTurn = -Infinity;
  #scene = null;
  #sceneSeconds = -Infinity;
  #turn = 0;

  // camera: whether frames come as soon as those before are done, and not as often as somebody wants.
  constructor(analyzer, camera = false) {
    this.#framesBetween = camera ? THOROUGH_FRAMES : 1;
    this.tracker = new FaceTracker();
    this.#analyzer = analyzer;
  }

  // Everybody in one frame, as TrackedFaces in the order of their ids. seconds: the frame's time, which must grow. width: of the camera's
  // picture, in whose pixels places are given; by default the frame's.
  async analyze(image, seconds, {width = null, ageGender = false} = {}) {
    const scene = reduced(image);
    const elapsed = seconds - this.#sceneSeconds;
    const likeness = elapsed >= 0 && elapsed <= SCENE_SECONDS ? dot(scene, this.#scene) : 1;
    if (likeness < OTHER_SCENE) {
      this.tracker.forget();
      this.#searchedThoroughly = this.#thoroughTurn = -Infinity;
    }
    const scale = (width || image.width) / image.width;
    const expected = this.tracker.predict(seconds).map(([, detection]) => scaled(detection, 1 / scale));
    // Not within the time of a search, where the clock was set back.
    const within = (since, time) => seconds - since >= 0 && seconds - since < time;
    const search = !within(this.#searched, SEARCH_SECONDS);
    const thorough =
      !within(this.#searchedThoroughly, THOROUGH_SECONDS) && this.#turn - this.#thoroughTurn >= this.#framesBetween;
    const detections = await this.#analyzer.detector.follow(image, expected, search, thorough, this.#turn);
    if (search || thorough) this.#searched = seconds;
    if (thorough) {
      this.#searchedThoroughly = seconds;
      this.#thoroughTurn = this.#turn;
    }
    this.#scene = scene;
    this.#sceneSeconds = seconds;
    this.#turn += 1;
    // So that those who are there at first are numbered as one reads.
    let faces = await this.#analyzer.classify(image, readingOrder(detections), ageGender);
    if (scale !== 1) faces = faces.map((face) => inCamera(face, scale));
    const people = this.tracker.update(faces, seconds, likeness < PERHAPS_OTHER_SCENE);
    return people.sort((one, other) => one.id - other.id);
  }
}

function inCamera(face, scale) {
  return new Face(scaled(face.detection, scale), face.crop, face.probabilities, face);
}

// A frame as numbers (SCENE_SIDE, SCENE_SIDE, 3) of mean 0 in each channel and of length 1.
function reduced(image) {
  const few = resizeNearest(image, SCENE_SAMPLES, SCENE_SAMPLES);
  const small = Float32Array.from(resizeArea(few, SCENE_SIDE, SCENE_SIDE).data);
  const means = [0, 0, 0];
  for (let k = 0; k < small.length; k++) means[k % 3] += small[k] / (small.length / 3);
  for (let k = 0; k < small.length; k++) small[k] -= means[k % 3];
  const length = Math.sqrt(dot(small, small)) + 1e-6;
  return small.map((value) => value / length);
}
