// ESLint's default rule set for a repository that brings no configuration: what is almost certainly a mistake, no style,
// no type information (a review must not depend on the repository being installed).
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
      // Globals are not known without a configuration; the compiler finds these.
      "no-undef": "off",
      "no-eval": "error",
      "no-self-compare": "error",
      // typescript-eslint leaves these to the compiler; a review may look at code that was never compiled.
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
      // Taste, or too often meant that way.
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
];
