// The ESLint rules for a repository without its own configuration: rules for almost certain mistakes. No rules of style, and
// none that need types, because a review must not need an installed repository.
import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default [
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ["**/*.{js,cjs,mjs,jsx,ts,cts,mts,tsx}"],
    languageOptions: {
      ecmaVersion: "latest",
      parserOptions: { ecmaFeatures: { jsx: true } },
    },
    linterOptions: { reportUnusedDisableDirectives: "off" },
    rules: {
      // Without a configuration the globals are unknown; the compiler finds these mistakes.
      "no-undef": "off",
      "no-eval": "error",
      "no-self-compare": "error",
      "no-fallthrough": ["error", { allowEmptyCase: true }],
      // typescript-eslint leaves these to the compiler, but a review may read code that was never compiled.
      "constructor-super": "error",
      "getter-return": "error",
      "no-class-assign": "error",
      "no-const-assign": "error",
      "no-dupe-class-members": "off",
      "@typescript-eslint/no-dupe-class-members": "error",
      "no-dupe-keys": "error",
      "no-func-assign": "error",
      "no-import-assign": "error",
      "no-obj-calls": "error",
      "no-redeclare": "off",
      "@typescript-eslint/no-redeclare": ["error", { builtinGlobals: false, ignoreDeclarationMerge: true }],
      "no-setter-return": "error",
      "no-this-before-super": "error",
      "no-unreachable": "error",
      "no-unsafe-negation": "error",
      "no-with": "error",
      "no-unused-vars": "off",
      "@typescript-eslint/no-unused-vars": [
        "error",
        {
          args: "none",
          caughtErrors: "none",
          varsIgnorePattern: "^_",
          argsIgnorePattern: "^_",
          ignoreRestSiblings: true,
        },
      ],
      // Matters of taste, or too often intended.
      "no-empty": "off",
      "no-control-regex": "off",
      "no-useless-escape": "off",
      "no-empty-pattern": "off",
      "require-yield": "off",
      "no-useless-assignment": "off",
      "preserve-caught-error": "off",
      "@typescript-eslint/ban-ts-comment": "off",
      "@typescript-eslint/no-empty-object-type": "off",
      "@typescript-eslint/no-explicit-any": "off",
      "@typescript-eslint/no-namespace": "off",
      "@typescript-eslint/no-require-imports": "off",
      "@typescript-eslint/no-this-alias": "off",
      "@typescript-eslint/no-unsafe-function-type": "off",
      "@typescript-eslint/no-unused-expressions": "off",
      "@typescript-eslint/no-wrapper-object-types": "off",
      "@typescript-eslint/triple-slash-reference": "off",
      "prefer-const": "off",
      "no-var": "off",
      "prefer-rest-params": "off",
      "prefer-spread": "off",
    },
  },
  {
    // The compiler reports the real cases; a type and a value may share a name.
    files: ["**/*.{ts,cts,mts,tsx}"],
    rules: { "@typescript-eslint/no-redeclare": "off" },
  },
];
