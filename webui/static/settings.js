// What Python tells the page in its document: the language with its texts, and the labels, limits and constants that both use.

export const SETTINGS = JSON.parse(document.getElementById("ifade-settings").textContent);
