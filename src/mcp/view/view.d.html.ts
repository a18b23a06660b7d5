/** The built view: one page with its style and script inlined. */
declare const html: string;
export default html;
