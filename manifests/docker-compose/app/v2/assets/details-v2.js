export const version = "v2";
export const details = "It sings, and it warns of gas.";
