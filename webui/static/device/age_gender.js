// What age and gender each face appears to have: inference/age_gender.py.

import {AGE_GENDER_FRAMING, alignFace} from "./alignment.js";
import {CONSTANTS} from "./constants.js";
import {rowOf} from "./emotion.js";
import {Network} from "./network.js";

const {DEFAULT_MODEL, OUTPUTS} = CONSTANTS.age_gender;

export class AgeGenderEstimator {
  static async open(place) {
    return new AgeGenderEstimator(await Network.open(place, DEFAULT_MODEL));
  }

  constructor(network) {
    this.network = network;
    this.inputSize = network.inputs.image.shape[1];
  }

  // A face cut out of a picture as the model wants it: Uint8Array (S, S, 3).
  crop(image, detection) {
    return alignFace(image, detection, this.inputSize, {framing: AGE_GENDER_FRAMING}).data;
  }

  // What the model says of all faces, cut out by `crop`, in one run: for each face its outputs by name, Float32Arrays.
  async predict(faces) {
    const {inputSize} = this;
    const length = inputSize * inputSize * 3;
    const batch = new Uint8Array(faces.length * length);
    faces.forEach((face, number) => batch.set(face, number * length));
    const results = await this.network.run(OUTPUTS, {image: [batch, [faces.length, inputSize, inputSize, 3]]});
    return faces.map((_, number) => rowOf(results, number));
  }
}
