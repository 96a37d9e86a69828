// Answers questions from texts by the overlap of their words.
import { defineResearcher } from "../lib/research/researcher.ts";

export default defineResearcher("overlap");
