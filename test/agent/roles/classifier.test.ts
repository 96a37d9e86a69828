import { expect, test } from "vitest";
import { classify, type Feature } from "../../../agents/lib/classify/classifier.ts";

const FEATURES: Feature[] = ["words", "letters", "pairs", "triples", "endings"];
const answers = (text: string) => FEATURES.map((feature) => classify(text, feature));

test.each([
  ["Where is the train station, please?", "english"],
  ["Das Wetter ist heute schön", "german"],
  ["Il fait beau aujourd'hui", "french"],
  ["¿Dónde está la estación de tren, por favor?", "spanish"],
  ["Dove si trova la stazione dei treni, per favore?", "italian"],
])("most classifiers find the language of %j", (text, language) => {
  expect(answers(text).filter((answer) => answer === language).length).toBeGreaterThanOrEqual(3);
});

test("classifiers disagree about a short text, so a ballot among them is useful", () => {
  expect(new Set(answers("Wo ist der Bahnhof, bitte?")).size).toBeGreaterThan(1);
});

test("a text without letters has no language", () => {
  expect(answers("1234")).toEqual([null, null, null, null, null]);
});
