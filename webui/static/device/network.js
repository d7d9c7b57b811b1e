// A network in ONNX Runtime Web, on its WebAssembly threads.

const OPTIONS = {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "all",
  // Threads that wait busily would take the page's own time.
  extra: {session: {intra_op: {allow_spinning: "0"}}},
};

export class Network {
  // place: {runtime, models}: onnxruntime-web, and what gives the bytes of a model file by its name.
  static async open({runtime, models}, file) {
    return new Network(runtime, await runtime.InferenceSession.create(await models(file), OPTIONS));
  }

  constructor(runtime, session) {
    this.runtime = runtime;
    this.session = session;
    this.outputs = session.outputNames;
    this.inputs = Object.fromEntries(session.inputMetadata.map((input) => [input.name, input]));
  }

  // The outputs of these names, each {data, dims}. feed: by input [bytes or numbers, dims], which are given in the input's type.
  async run(names, feed) {
    const tensors = Object.entries(feed).map(([name, [values, dims]]) => {
      const {type} = this.inputs[name];
      const typed = type === "uint8" ? values : values instanceof Float32Array ? values : Float32Array.from(values);
      return [name, new this.runtime.Tensor(type, typed, dims)];
    });
    return this.session.run(Object.fromEntries(tensors), names);
  }
}
