// What Python tells the page in its document: the language with its texts, and the labels, limits and constants that both use.
// The document of a static site has the texts of all languages, by language.

export const SETTINGS = JSON.parse(document.getElementById("ifade-settings").textContent);
