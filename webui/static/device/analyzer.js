// Faces of a picture, found, cut out and classified: inference/analyzer.py.

import {AgeGenderEstimator} from "./age_gender.js";
import {alignFace} from "./alignment.js";
import {FaceDetector} from "./detector.js";
import {EmotionClassifier} from "./emotion.js";
import {measure, tempered} from "./quality.js";
import {Analysis, Face} from "./types.js";

const PROVIDER = "wasm"; // of ONNX Runtime Web
const WARM_SIZE = [640, 480];
const WARM_TIMES = 6; // of fewer a browser translates some of the networks only when the first photos come

export class FaceAnalyzer {
  // runtime: onnxruntime-web; models: gives the bytes of a model file by its name, in a promise; live: with the faster model of emotions, for
  // streams; detector: of another analyzer, to share it.
  static async open({runtime, models, live = false, detector = null}) {
    const place = {runtime, models};
    const opened = detector ?? (await FaceDetector.open(place));
    return new FaceAnalyzer(place, opened, await EmotionClassifier.open(place, live));
  }

  constructor(place, detector, classifier) {
    Object.assign(this, {place, detector, classifier});
    this.estimator = null;
  }

  // All faces of a picture {data: RGBA, width, height}, upright. ageGender: estimate age and gender too, whose model is fetched when it is
  // first asked for.
  async analyze(image, {ageGender = false} = {}) {
    const started = performance.now();
    const detections = readingOrder(await this.detector.detect(image));
    const detected = performance.now();
    const faces = await this.classify(image, detections, ageGender);
    const times = [detected - started, performance.now() - detected];
    return new Analysis(image.width, image.height, faces, PROVIDER, ...times);
  }

  // A face for each detection of a picture, in the same order.
  async classify(image, detections, ageGender = false) {
    if (detections.length === 0) return [];
    const {inputSize} = this.classifier;
    const crops = detections.map((detection) => alignFace(image, detection, inputSize, {grey: true}).data);
    const answers = await this.classifier.predict(crops);
    const estimates = ageGender ? await this.#estimate(image, detections) : [];
    return detections.map((detection, number) => {
      const quality = measure(detection, crops[number], image);
      const {probabilities, crowd = null, activation = null} = answers[number];
      return new Face(detection, crops[number], tempered(probabilities, quality.certainty), {
        crowd: crowd && tempered(crowd, quality.certainty),
        activation,
        ageDistribution: estimates[number]?.age_distribution ?? null,
        gender: estimates[number]?.gender ?? null,
        quality,
      });
    });
  }

  // Runs every network on a picture of nothing with a place that may be a face, once for each step of the generator: a browser translates
  // WebAssembly quickly at first and well where it is used, which takes the first pictures several times as long.
  async *warmUp() {
    const [width, height] = WARM_SIZE;
    const image = {data: new Uint8ClampedArray(4 * width * height), width, height};
    const [x, y, side] = [width / 2, height / 2, height / 4];
    const [leftEye, rightEye] = [-1, 1].map((way) => [x + (way * side) / 4, y - side / 6]);
    const place = {box: [x - side / 2, y - side / 2, x + side / 2, y + side / 2], leftEye, rightEye, score: 1};
    for (let times = 0; times < WARM_TIMES; times++) {
      yield this.detector.candidates(image);
      yield this.detector.lookAgain(image, [place]);
      yield this.detector.checker.probabilities(image, [place], [null]);
      yield this.classify(image, [place]);
    }
  }

  async #estimate(image, detections) {
    this.estimator ??= await AgeGenderEstimator.open(this.place);
    return this.estimator.predict(detections.map((detection) => this.estimator.crop(image, detection)));
  }
}

// Row by row from the top, each row from left to right; a row is as deep as half the median face is high.
export function readingOrder(detections) {
  if (detections.length === 0) return [];
  const middle = ({box: [x1, y1, x2, y2]}) => [(x1 + x2) / 2, (y1 + y2) / 2];
  const depth = median(detections.map(({box}) => box[3] - box[1])) / 2;
  const rows = [];
  const down = [...detections].sort((one, other) => middle(one)[1] - middle(other)[1]);
  for (const detection of down) {
    const row = rows.at(-1);
    if (row && middle(detection)[1] - middle(row.at(-1))[1] < depth) row.push(detection);
    else rows.push([detection]);
  }
  const across = (one, other) => middle(one)[0] - middle(other)[0] || middle(one)[1] - middle(other)[1];
  return rows.flatMap((row) => row.sort(across));
}

function median(values) {
  const sorted = values.sort((one, other) => one - other);
  const [before, after] = [Math.floor((sorted.length - 1) / 2), Math.ceil((sorted.length - 1) / 2)];
  return (sorted[before] + sorted[after]) / 2;
}
