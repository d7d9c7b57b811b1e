// One step of a stream: a frame of a camera or a video goes in, what is known at that moment comes out. Counterpart of
// inference/stream.py.

import {DetectorError} from "./detector.js";
import {FaceFollower} from "./follow.js";
import {Timeline} from "./satisfaction.js";

// The frames of one camera or video: who is in them, and the curve of all. One frame at a time.
export class Stream {
  timeline = new Timeline();
  lost = 0; // frames on which the face detector failed; they are not in the timeline

  constructor(analyzer, camera = false) {
    this.follower = new FaceFollower(analyzer, camera);
  }

  // Take in the next frame. width, ageGender: see `FaceFollower.analyze`. seconds: must grow from frame to frame. Gives a Moment:
  // {seconds, people (in the order of their ids), room (null where nobody is there), readings (a Map by id)}.
  async add(image, seconds, options = {}) {
    try {
      const people = await this.follower.analyze(image, seconds, options);
      return {seconds, people, ...this.timeline.add(seconds, people)};
    } catch (error) {
      if (error instanceof DetectorError) this.lost += 1;
      throw error;
    }
  }

  // `Timeline.report` and `frames_lost`, as JSON.
  report() {
    return {...this.timeline.report(), frames_lost: this.lost};
  }
}
