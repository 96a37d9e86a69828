// Tells the language of a text by its letters.
import { defineClassifier } from "../classify/classifier.ts";

export default defineClassifier("letters");
