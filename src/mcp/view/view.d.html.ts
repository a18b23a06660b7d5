/** The built view: one page with its style and script in it. */
declare const html: string;
export default html;
