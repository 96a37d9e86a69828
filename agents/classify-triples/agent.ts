// Tells the language of a text by its triples.
import { defineClassifier } from "../classify/classifier.ts";

export default defineClassifier("triples");
