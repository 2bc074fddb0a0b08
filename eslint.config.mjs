import { fileURLToPath } from "node:url";
import tseslint from "typescript-eslint";
import layers from "./scripts/eslint-layers.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));

export default tseslint.config(
  {
    ignores: [
      "**/node_modules/**",
      "dist/**",
      "**/out/**",
      ".idap-*/**",
      "coverage/**",
      "assembly/**", // AssemblyScript: asc is its compiler and its judge
      "src/formats/**/generated/**",
    ],
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: root } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowArray: true },
      ],
      // An operator's attributes are `any` in the registry (each definition types and parses its own), and JSON
      // enters as `any` and is parsed by a schema; these rules would ask for casts that check nothing.
      "@typescript-eslint/no-explicit-any": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      // `async` states an interface; a method may have nothing to wait for.
      "@typescript-eslint/require-await": "off",
      // Our interfaces are implemented by closures and by classes whose methods are passed bound.
      "@typescript-eslint/unbound-method": "off",
      // The generated TFLite schema numbers its operators; a file may hold numbers that the enum does not know.
      "@typescript-eslint/no-unsafe-enum-comparison": "off",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-console": "off",
      "prefer-const": "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    plugins: { layers },
    rules: {
      "layers/direction": ["error", { src: `${root}src` }],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "use src/model/random.ts: the same seed gives the same bytes." },
      ],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/cli/**"],
    rules: { "no-console": "error" },
  },
);
