// Tells the language of a text by its pairs.
import { defineClassifier } from "../classify/classifier.ts";

export default defineClassifier("pairs");
