// An answer that could not be had, for the visitor to read. status: as of HTTP; 0 where nobody answered.

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}
