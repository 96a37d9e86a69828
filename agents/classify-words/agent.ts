// Finds the language of a text by its words.
import { defineClassifier } from "../lib/classify/classifier.ts";

export default defineClassifier("words");
