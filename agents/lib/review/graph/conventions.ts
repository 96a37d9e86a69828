// The conventions that connect files without an import, as tables: modules that a tool makes, packages that come with another
// package, files that a framework loads by their place or name. Each line has its source or reason. Data and lookups only.

/** Specifiers that no file and no package stands behind: a runtime or a build tool answers them. */
export const VIRTUAL: readonly { pattern: RegExp; by: string }[] = [
  {
    pattern: /^[a-z][a-z0-9+.-]+:/i,
    by: "a scheme: bun:, npm:, jsr:, https:, data:, astro:, virtual:, cloudflare:",
  },
  {
    pattern: /^(?:virtual|\0)[:/]?/,
    by: "Rollup and Vite: https://vite.dev/guide/api-plugin#virtual-modules-convention",
  },
  { pattern: /^\/?@(?:vite|id|fs|react-refresh)(?:\/|$)/, by: "the Vite development server" },
  {
    pattern: /^\$(?:app|env|service-worker|houdini|types)(?:\/|$)/,
    by: "SvelteKit: https://svelte.dev/docs/kit/$app-environment",
  },
  {
    pattern:
      /^#(?:imports|app|app-manifest|build|components|internal|head|vue-router|content|auth|ui|i18n|supabase|nitro|site-config|og-image|kirby|image|pwa|color-mode|brand)(?:\/|$)/,
    by: "Nuxt and its modules: https://nuxt.com/docs/api/advanced/kit",
  },
  { pattern: /^@sapper\//, by: "Sapper: https://sapper.svelte.dev/docs#@sapper_app" },
  { pattern: /^@ioc:/, by: "AdonisJS 5: https://v5-docs.adonisjs.com/guides/ioc-container" },
  { pattern: /^@site\//, by: "Docusaurus: https://docusaurus.io/docs/advanced/ssg" },
  {
    pattern: /^(?:@salesforce|lightning)\//,
    by: "Lightning web components: https://developer.salesforce.com/docs/platform/lwc/guide/create-components-import.html",
  },
  { pattern: /^~icons\//, by: "unplugin-icons: https://github.com/unplugin/unplugin-icons" },
  {
    pattern: /^(?:virtual[-_])?(?:uno(?::[\w-]+)?|windi(?:-[\w-]+)?|unfonts)\.css$/,
    by: "UnoCSS, Windi CSS, unplugin-fonts: https://unocss.dev/integrations/vite",
  },
  {
    pattern:
      /^~(?:pages|react-pages|solid-pages|build|meta|posts|vue-router)(?:\/|$)|^(?:generated-pages|pages-generated|layouts-generated|generated-layouts|voie-pages|vue-auto-routing|svg-icons-(?:register|names)|vue-router\/auto(?:-\w+)?)$/,
    by: "vite-plugin-pages, unplugin-info, vite-plugin-vue-layouts, vite-plugin-svg-icons, unplugin-vue-router",
  },
  {
    pattern:
      /^(?:contentlayer\/generated|\.(?:contentlayer|velite|content-collections|source)(?:\/|$)|content-collections$|styled-system\/\w+$)/,
    by: "Contentlayer, Velite, Content Collections, Fumadocs and Panda CSS generate them",
  },
  {
    pattern: /^__(?:STATIC_CONTENT_MANIFEST|federation__|vite[\w-]*|webpack[\w-]*)/,
    by: "Cloudflare Workers, module federation, Vite and webpack",
  },
  { pattern: /^(?:\$|~)?(?:build|server)\/(?:remix|react-router)/, by: "React Router" },
  {
    pattern: /^@(?:theme|theme-original|theme-init|generated|docusaurus)(?:\/|$)/,
    by: "Docusaurus: https://docusaurus.io/docs/swizzling",
  },
  { pattern: /^@(?:internal|temp)(?:\/|$)/, by: "VuePress" },
  { pattern: /^@(?:qwik|solid)-[\w-]+$/, by: "Qwik City and SolidStart" },
  {
    pattern:
      /^(?:bun|electron|original-fs|vscode|atom|deno|meteor|k6|cloudflare|ember|sass|aws-sdk|@aws-sdk|inspector|cypress)(?:\/|$)/,
    by: "a runtime or a host program: Bun, Electron, VS Code, Meteor, k6, AWS Lambda, Cypress",
  },
  { pattern: /^(?:@ember|@glimmer|rsvp|ember-[\w-]+)(?:\/|$)/, by: "Ember CLI: https://guides.emberjs.com" },
  { pattern: /^(?:wix|velo|@wix)[-/]/, by: "Velo" },
  { pattern: /^(?:next|nuxt)\/font/, by: "Next.js" },
  { pattern: /^(?:std|vite-plugin-pwa|pwa)\/client$/, by: "types of a build tool" },
  { pattern: /^(?:resource|chrome|moz-extension):/, by: "Firefox" },
];

/** A name that a generator fills in: `{{name}}`, `<%= name %>`, `${name}`, `%NAME%`, `__NAME__`. */
export const PLACEHOLDER = /\{\{|<%|\$\{|%\w+%|__[A-Z_]+__/;

/** Packages that another package brings and documents as part of itself, so that a project need not declare them. */
export const PROVIDED: readonly { by: RegExp; packages: RegExp; why: string }[] = [
  {
    by: /^nuxt(?:-edge|3)?$/,
    packages:
      /^(?:vue|vuex|vue-meta|vue-router|h3|ofetch|nitropack|nitro|ufo|defu|pathe|unctx|unhead|@unhead\/.*|@nuxt\/.*|@vue\/.*|vite|consola|scule|hookable|destr|klona|ohash)$/,
    why: "Nuxt: https://nuxt.com/docs/guide/concepts/auto-imports",
  },
  {
    by: /^(?:vitepress|vuepress)$/,
    packages: /^(?:vue|vite|@vue\/.*|@vuepress\/.*|vue-router|webpack|markdown-it)$/,
    why: "VitePress and VuePress render with their own Vue",
  },
  {
    by: /^@docusaurus\/core$/,
    packages: /^(?:@docusaurus\/.*|react-router-dom|@mdx-js\/react|react|react-dom)$/,
    why: "Docusaurus",
  },
  {
    by: /^react-scripts$/,
    packages: /^(?:webpack|jest|babel-jest|react-dev-utils|@babel\/.*|workbox-.*|web-vitals)$/,
    why: "Create React App",
  },
  {
    by: /^@nestjs\/(?:platform-express|core)$/,
    packages: /^(?:express|fastify|@nestjs\/.*|rxjs|reflect-metadata)$/,
    why: "Nest examples import the platform's own package",
  },
  { by: /^@angular\/core$/, packages: /^(?:tslib|zone\.js|rxjs|@angular\/.*)$/, why: "Angular CLI" },
  { by: /^@sveltejs\/kit$/, packages: /^(?:svelte|vite|@sveltejs\/.*)$/, why: "peers of SvelteKit" },
  {
    by: /^astro$/,
    packages: /^(?:vite|zod|@astrojs\/.*|shiki|svgo|mdast.*|hast.*|unist.*)$/,
    why: "Astro re-exports its tools",
  },
  {
    by: /^gatsby$/,
    packages: /^(?:@reach\/router|gatsby-.*|webpack|react|react-dom|express)$/,
    why: "Gatsby",
  },
  {
    by: /^expo$/,
    packages: /^(?:expo-.*|@expo\/.*|react-native|metro-.*)$/,
    why: "Expo's vector icons and modules",
  },
  {
    by: /^next$/,
    packages: /^(?:react|react-dom|webpack|styled-jsx|server-only|client-only)$/,
    why: "Next.js aliases them",
  },
  {
    by: /^(?:storybook|@storybook\/.*)$/,
    packages: /^(?:@storybook\/.*|storybook)$/,
    why: "Storybook's addons",
  },
  { by: /^vite$/, packages: /^(?:rollup|esbuild|rolldown|connect)$/, why: "types of Vite's own tools" },
  { by: /^@playwright\/test$/, packages: /^playwright(?:-core)?$/, why: "Playwright" },
  { by: /^(?:@umijs\/.*|umi)$/, packages: /^(?:umi|@umijs\/.*|react|react-dom|dva|antd)$/, why: "Umi" },
  { by: /^quasar$/, packages: /^(?:quasar|@quasar\/.*|vue|vue-router|pinia)$/, why: "Quasar" },
  {
    by: /^(?:@strapi\/strapi|strapi)$/,
    packages: /^(?:@strapi\/.*|strapi-.*|react|react-.*|styled-components)$/,
    why: "Strapi",
  },
  {
    by: /^hardhat$/,
    packages: /^(?:ethers|@nomiclabs\/.*|@nomicfoundation\/.*|chai|hardhat-.*)$/,
    why: "Hardhat toolbox",
  },
];

/**
 * Files that a program loads by their place or name. `when` names packages of the project (its manifests); without it the
 * convention is common enough for all. Paths are relative to the nearest package.
 */
export const LOADED: readonly { path: RegExp; when?: RegExp; why: string }[] = [
  { path: /(?:^|\/)(?:migrations?|seeds?|seeders?|fixtures)\//, why: "database tools load the folder" },
  {
    path: /(?:^|\/)[^/]+\.(?:stories|story|docs|page|doc)\.[^/]+$|(?:^|\/)(?:stories|\.?storybook)\//,
    why: "Storybook",
  },
  {
    path: /(?:^|\/)(?:functions|lambdas?|edge-functions|netlify|handlers)\//,
    why: "serverless platforms start each file",
  },
  {
    path: /(?:^|\/)(?:commands|events|listeners|subscribers|jobs|crons?|tasks|queues|workers)\//,
    why: "oclif, discord.js, Ace, queues load the folder",
  },
  {
    path: /(?:^|\/)(?:plugins|middlewares?|extensions|addons|modules\/[^/]+\/index)(?:\/|\.)/,
    why: "plugin folders",
  },
  { path: /(?:^|\/)api\//, why: "Vercel, Next.js, Strapi, Redwood: each file is a route" },
  { path: /(?:^|\/)\.[^/]+\//, why: "a tool's own folder: .vitepress, .storybook, .github" },
  {
    path: /(?:^|\/)(?:templates?|skeletons?|scaffold(?:s|ing)?|boilerplates?|stubs|blueprints|starters?|_templates)\//,
    why: "a generator copies them",
  },
  {
    path: /(?:^|\/)(?:public|static|assets|www|wwwroot|htdocs|webroot|_assets)\//,
    why: "pages and servers name them by URL",
  },
  {
    path: /(?:^|\/)(?:dev|play|sandbox|playgrounds?|demos?|examples?|samples?|snippets|tutorials?|katas|exercises|solutions|lessons)\//,
    why: "code to try or to show",
  },
  {
    path: /(?:^|\/)(?:routes|pages|views|screens|app|src\/app)\/(?:.*\/)?(?:\+[\w.]+|_[\w.]+|page|layout|loading|error|not-found|template|default|route|global-error|head|middleware|instrumentation|opengraph-image|icon|apple-icon|sitemap|robots|manifest)\.[^/]+$/,
    why: "Next.js, SvelteKit and Vike name files so",
  },
  {
    // An application of a monorepo may have no manifest of its own.
    path: /^(?:(?:apps|packages)\/[^/]+\/)?(?:src\/)?(?:pages|app)\//,
    when: /^(?:next|gatsby|nuxt.*|expo-router|vike|vite-plugin-ssr|vite-plugin-pages|unplugin-vue-router|umi|@umijs\/.*|@tanstack\/.*router.*|waku|@redwoodjs\/.*|blitz|vinxi|astro|@analogjs\/.*|one)$/,
    why: "file routes",
  },
  {
    path: /^(?:src\/)?(?:instrumentation(?:-client)?|middleware|proxy|mdx-components)\.[jt]sx?$/,
    when: /^next$/,
    why: "Next.js: https://nextjs.org/docs/app/api-reference/file-conventions",
  },
  {
    path: /(?:^|\/)(?:routes|entry\.[\w-]+|root)(?:\/|\.)/,
    when: /^(?:@remix-run\/.*|@react-router\/.*|react-router|@sveltejs\/kit|@solidjs\/start|solid-start|@builder\.io\/qwik.*|@qwik\.dev\/.*|@tanstack\/.*|fresh|\$fresh|@fresh\/core|h3|nitropack|fastify|@fastify\/autoload|express-file-routing|hono|honox)$/,
    why: "file routes",
  },
  {
    path: /(?:^|\/)(?:islands|routes)\//,
    when: /fresh|deno/,
    why: "Fresh: https://fresh.deno.dev/docs/concepts/islands",
  },
  {
    path: /(?:^|\/)(?:components|composables|utils|layouts|pages|plugins|middleware|server|stores?|modules|shared|layers|app)\//,
    when: /^nuxt/,
    why: "Nuxt: https://nuxt.com/docs/guide/directory-structure",
  },
  {
    path: /(?:^|\/)(?:components|composables|stores?|hooks|layouts|utils|directives)\//,
    when: /^(?:unplugin-vue-components|unplugin-auto-import|vite-plugin-components|vite-plugin-vue-layouts.*|@nuxt\/components)$/,
    why: "unplugin: automatic imports",
  },
  {
    path: /(?:^|\/)routes\/|(?:^|\/)src\/(?:client|server|service-worker)\.[jt]s$/,
    when: /^sapper$/,
    why: "Sapper: https://sapper.svelte.dev/docs#Routes",
  },
  { path: /(?:^|\/)src\/pages\//, when: /^@roxi\/routify$/, why: "Routify: https://routify.dev" },
  {
    path: /(?:^|\/)(?:server\/boot|common\/(?:models|mixins)|actions|initializers|servers)\//,
    when: /^(?:loopback|loopback-boot|actionhero)$/,
    why: "LoopBack 3 and Actionhero load the folders",
  },
  {
    path: /(?:^|\/)services\/|\.service\.[jt]s$/,
    when: /^moleculer$/,
    why: "moleculer-runner loads services",
  },
  {
    path: /(?:^|\/)_(?:data|includes)\/|\.11tydata\.[cm]?js$/,
    when: /^@11ty\/eleventy$/,
    why: "Eleventy: https://www.11ty.dev/docs/data-global/",
  },
  {
    path: /(?:^|\/)(?:controller|service|filter|middleware|logic|model|bootstrap|config)\//,
    when: /^(?:@midwayjs\/.*|midway|thinkjs|think-.*)$/,
    why: "Midway and ThinkJS load the folders",
  },
  { path: /(?:^|\/)(?:src\/)?(?:theme|pages)\//, when: /^@docusaurus\//, why: "Docusaurus" },
  {
    path: /(?:^|\/)src\/(?:content|pages|middleware|actions|env|live)(?:\/|\.|$)/,
    when: /^astro$/,
    why: "Astro: https://docs.astro.build/en/basics/project-structure/",
  },
  {
    path: /(?:^|\/)(?:src\/)?(?:hooks(?:\.\w+)?|service-worker|params\/|instrumentation|app|error)/,
    when: /^@sveltejs\/kit$/,
    why: "SvelteKit: https://svelte.dev/docs/kit/project-structure",
  },
  {
    path: /(?:^|\/)[^/]+\.(?:entity|model|subscriber|migration|seed|factory|schema|resolver|controller|route|routes|command|job|task|cron|worker|listener)\.[^/]+$/,
    why: "loaded by a pattern of names (TypeORM, Sequelize, type-graphql)",
  },
  {
    path: /(?:^|\/)app\//,
    when: /^(?:ember-source|ember-cli|egg|@eggjs\/.*|meteor-node-stubs|@adonisjs\/core|sails)$/,
    why: "Ember, Egg, Adonis and Sails load the folder",
  },
  { path: /(?:^|\/)(?:client|server|imports|lib)\//, when: /^meteor/, why: "Meteor loads the folders" },
  {
    path: /(?:^|\/)src\/setup(?:Tests|Proxy)\.[jt]sx?$/,
    when: /^react-scripts/,
    why: "Create React App: https://create-react-app.dev/docs/running-tests/#initializing-test-environment",
  },
  {
    path: /(?:^|\/)i18n(?:\/request)?\.[jt]sx?$/,
    when: /^next-intl$/,
    why: "next-intl: https://next-intl.dev/docs/usage/configuration#i18n-request",
  },
  {
    path: /(?:^|\/)i18n\/(?:[\w-]+\/)?formatters\.[jt]s$/,
    when: /^typesafe-i18n$/,
    why: "typesafe-i18n: code that it makes imports the formatters",
  },
  {
    path: /(?:^|\/)views\//,
    when: /^express-react-views$/,
    why: "express-react-views: res.render names a view",
  },
  { path: /_controller\.[jt]s$/, when: /stimulus/, why: "Stimulus loads controllers by name" },
  { path: /(?:^|\/)(?:boot|router|store|stores|src-\w+)\//, when: /^(?:quasar|@quasar\/.*)$/, why: "Quasar" },
  { path: /(?:^|\/)(?:api|web)\/src\//, when: /^@redwoodjs\//, why: "Redwood imports by glob" },
  { path: /(?:^|\/)(?:deploy|scripts|tasks|ignition)\//, when: /^hardhat$/, why: "Hardhat" },
  {
    path: /(?:^|\/)(?:config|services|content-types|policies|admin|extensions)\//,
    when: /strapi/,
    why: "Strapi",
  },
  { path: /(?:^|\/)(?:support|e2e|integration|component|plugins)\//, when: /^cypress$/, why: "Cypress" },
  {
    path: /(?:^|\/)(?:entrypoints|contents?|background|popup|options|tabs)(?:\/|\.)/,
    when: /^(?:wxt|plasmo|@crxjs\/.*|webextension-.*|@types\/chrome|@types\/webextension-polyfill|web-ext)$/,
    why: "entries of a browser extension",
  },
  {
    path: /(?:^|\/)(?:preload|renderer|main)(?:\/[^/]+$|\.[jt]sx?$|-)/,
    when: /electron/,
    why: "entries of Electron",
  },
];

/** Names of a program's first module, wherever it is. */
export const ENTRY_NAME =
  /^(?:index|main|mod|cli|bin|server|app|worker|sw|service-worker|serviceworker|setup|entry|start|run|bootstrap|register|polyfills?|program|lambda|handler|standalone|browser|node|_worker|root|www|gulpfile|gruntfile|jakefile|makefile|cakefile|brocfile|ember-cli-build|karma|protractor|nightwatch|wallaby|testem|sandbox|playground|repl|dev)\b|[.-](?:worker|entry|main|bundle|browser|cli|main-ui|shared-worker|sw|umd|standalone|global|iife|webpack|rollup|gulp|vite|esbuild)\.[^.]+$/i;

/** Files that a tool reads by name: `vite.config.ts`, `.eslintrc.js`, `karma.conf.js`, `webpack.prod.js`, `jest-setup.js`. */
export const CONFIG_NAME =
  /(?:^|\/)\.?[\w-]*(?:\.[\w-]+)*[.-]?(?:config|conf|rc|setup|teardown|preset|loader|transformer|resolver|environment|reporter|serializer|env)(?:\.[\w-]+)*\.[cm]?[jt]sx?$|(?:^|\/)\.[^/]+\/|(?:^|\/)(?:webpack|rollup|vite|vitest|jest|babel|esbuild|gulp|karma|tsup|metro|postcss|tailwind|eslint|prettier|commitlint|lint-staged|cypress|playwright|wdio|protractor|nightwatch|stencil|capacitor|ecosystem|knexfile|ormconfig|data-source|typedoc|snowpack|craco|next-env|env|types|typings|global|globals|shims?)[\w-]*(?:\.[\w-]+)*\.[cm]?[jt]sx?$|(?:^|\/)(?:gulpfile|gruntfile|jakefile|cakefile|fabfile|makefile)[\w.-]*\.[cm]?[jt]s$/i;

/** Folders for building, testing and showing a project: their files are started by hand, or by a tool. */
export const TOOL_FOLDER =
  /(?:^|\/)[._]?(?:gulp|grunt|tasks?|ci|wdio|tutorials?|lessons?|exercises?|courses?|workshops?|snippets?|\.?circleci|e2e[\w-]*|cypress|playwright|__[\w-]+__|test[\w-]*|tests[\w-]*|[\w-]+-tests?|spec|mocks?|stubs?|fixtures?|bench[\w-]*|perf[\w-]*|scripts?|tools?|tooling|utils\/scripts|ops|infra|deploy|hack|dev|build[\w-]*|config|configs|docs?|documentation|website|site|www|demos?|examples?|samples?|playgrounds?|sandbox|starters?|templates?|integration)\//i;

/** Folders of build output and of generated code: an import of a file there is made before the program starts. */
export const MADE_FOLDER =
  /(?:^|\/)(?:dist|build|builds|out|output|generated|__generated__|_?gen|codegen|autogen|artifacts|target|coverage|release|pkg|bundles?|compiled|es|esm|cjs|umd|lib-esm|temp|tmp|\.[\w-]+|\+types|\$types|node_modules|bower_components|vendor|vendors|third[_-]party|public)(?:\/|$)/;
/** Names of files that a tool makes. */
export const MADE_NAME =
  /(?:^|[./_-])(?:generated|__generated__|gen|autogenerated|codegen|proxy\+[\w.]+|g|pb|grpc|_pb|graphql|gql|min|bundle|precompiled|parser|lexer|grammar|ngfactory|ngsummary|ngstyle|version|buildinfo|build-info|routeTree|env|secrets?|credentials?|local|\$types|\+types)(?:[./_-][\w-]+(?:[./][\w-]+)*)?$/;

/** Generators that copy whole folders, and the folders: the imports of a copy are answered in the new project. */
const COPIED: readonly { by: RegExp; path: RegExp }[] = [
  // Schematics of Angular and Nest, generators of Nx: `src/lib/<name>/files/…`.
  {
    by: /^(?:@angular-devkit\/schematics|@schematics\/.+|@n(?:x|rwl)\/devkit)$/,
    path: /(?:^|\/)(?:files[\w-]*|[\w-]+-files|workspace)\//,
  },
  { by: /^(?:ember-cli|ember-cli-blueprint.*)$/, path: /(?:^|\/)blueprints\/(?:.*\/)?files\// },
  {
    by: /^(?:yeoman-generator|plop|hygen|giget|degit|tiged|sao)$/,
    path: /(?:^|\/)(?:plop-)?(?:templates?|skeletons?)\//,
  },
];

/** True for a file that a generator of this package copies into other projects. `dependencies` are the packages of its manifests. */
export function isCopied(path: string, dependencies: readonly string[]): boolean {
  return COPIED.some((each) => each.path.test(path) && dependencies.some((name) => each.by.test(name)));
}

/** True when one of the tables says that a program loads the file. `dependencies` are the packages of its manifests. */
export function isLoadedByPlace(path: string, dependencies: readonly string[]): boolean {
  return LOADED.some(
    ({ path: place, when }) =>
      place.test(path) && (when === undefined || dependencies.some((name) => when.test(name))),
  );
}

/** True for a specifier that a runtime or a build tool answers. */
export function isVirtual(specifier: string): boolean {
  return PLACEHOLDER.test(specifier) || VIRTUAL.some(({ pattern }) => pattern.test(specifier));
}

/** True when a declared package brings `name` with it. */
export function isProvided(name: string, dependencies: readonly string[]): boolean {
  return PROVIDED.some(({ by, packages }) => packages.test(name) && dependencies.some((one) => by.test(one)));
}
