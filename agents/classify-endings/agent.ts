// Tells the language of a text by its endings.
import { defineClassifier } from "../classify/classifier.ts";

export default defineClassifier("endings");
