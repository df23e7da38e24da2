export const version = "v1";
export const details = "It sings.";
