// Answers questions from texts by the nearness of their words.
import { defineResearcher } from "../lib/research/researcher.ts";

export default defineResearcher("nearness");
