import { defineConfig } from 'rolldown';

// One small file that checks the Node version, one bundle behind it, and lazy parts only for what is seldom asked for.
export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  output: {
    dir: 'dist',
    format: 'esm',
    minify: true,
    cleanDir: true,
    entryFileNames: 'main.js',
    chunkFileNames: '[name]-[hash].js',
  },
});
