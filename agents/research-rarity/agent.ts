// Answers questions from texts by the rarity of their words.
import { defineResearcher } from "../lib/research/researcher.ts";

export default defineResearcher("rarity");
