// What the expression of each face is: inference/emotion.py.

import {CONSTANTS} from "./constants.js";
import {Network} from "./network.js";

const {LIVE_MODEL, MODEL, OUTPUTS} = CONSTANTS.emotion;

export class EmotionClassifier {
  // live: the smaller and faster model, for streams.
  static async open(place, live) {
    return new EmotionClassifier(await Network.open(place, live ? LIVE_MODEL : MODEL));
  }

  constructor(network) {
    this.network = network;
    this.inputSize = network.inputs.image.shape[1];
    this.outputs = OUTPUTS.filter((name) => network.outputs.includes(name));
  }

  // The answers of all faces, each Uint8Array (S, S), in one run: for each face its outputs by name, Float32Arrays.
  async predict(faces) {
    const {inputSize} = this;
    const batch = new Uint8Array(faces.length * inputSize * inputSize);
    faces.forEach((face, number) => batch.set(face, number * inputSize * inputSize));
    const results = await this.network.run(this.outputs, {image: [batch, [faces.length, inputSize, inputSize, 1]]});
    return faces.map((_, number) => rowOf(results, number));
  }
}

// What each output says of the face of that number: a copy, because the rows of a batch share their memory.
export function rowOf(results, number) {
  const row = ([name, {data, dims}]) => {
    const length = data.length / dims[0];
    return [name, data.slice(number * length, (number + 1) * length)];
  };
  return Object.fromEntries(Object.entries(results).map(row));
}
