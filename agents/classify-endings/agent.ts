// Finds the language of a text by its endings.
import { defineClassifier } from "../lib/classify/classifier.ts";

export default defineClassifier("endings");
