// Finds the language of a text by its letters.
import { defineClassifier } from "../lib/classify/classifier.ts";

export default defineClassifier("letters");
