// Finds the language of a text by its triples.
import { defineClassifier } from "../lib/classify/classifier.ts";

export default defineClassifier("triples");
