/** Default upper bounds of the histograms' buckets, in milliseconds: finest between 1 and 100, where a live frame lies. */
export const STAGE_BUCKETS_MS = [1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 33, 40, 50, 66, 100, 250, 1000];
