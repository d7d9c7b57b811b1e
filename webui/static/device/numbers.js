// Python's arithmetic where JavaScript has another.

// To so many decimals, as Python rounds: the exact value to the nearer, and of two that are equally near to the even one.
export function round(value, digits = 0) {
  // Only a number of so few binary digits can lie exactly in the middle.
  if (Number.isInteger(value * 2 ** (digits + 1))) {
    const scaled = value * 10 ** digits,
      below = Math.floor(scaled);
    if (scaled - below === 0.5) return (below % 2 ? below + 1 : below) / 10 ** digits;
  }
  return Number(value.toFixed(digits));
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

// Of weights, each times its value.
export function dot(weights, values) {
  let total = 0;
  for (let place = 0; place < values.length; place++) total += weights[place] * values[place];
  return total;
}

// The place of the largest value, the first of several.
export const argmax = (values) => values.indexOf(Math.max(...values));
