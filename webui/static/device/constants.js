// What inference/ defines and the modules of this folder follow: its constants by module and name, as inference/constants.py
// collects them. The worker hands them in before it imports any other module, so that each may take its own as it is loaded.

export const CONSTANTS = {};

export function configure(constants) {
  Object.assign(CONSTANTS, constants);
}
