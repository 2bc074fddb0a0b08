/** `producer_name` of the files that our writer makes; the reader takes what they state literally. */
export const PRODUCER = "idap";

/** The batch axis of a port in our files; an extent of k at batch 1 is written `batch*k`. */
export const BATCH = /^batch(?:\*(\d{1,9}))?$/;
