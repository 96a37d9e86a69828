// Finds the language of a text by its pairs.
import { defineClassifier } from "../lib/classify/classifier.ts";

export default defineClassifier("pairs");
