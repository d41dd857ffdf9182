// Amounts and times in words. Of wei nothing is rounded.
import { formatEther, formatUnits } from "../ethers.js";

export const count = (number) => number.toLocaleString("en");

const decimal = (text) => {
  const [whole, rest] = text.split(".");
  return count(BigInt(whole)) + (rest && rest !== "0" ? `.${rest}` : "");
};

export const eth = (wei) =>
  wei !== 0n && wei < 10n ** 14n ? `${decimal(formatUnits(wei, "gwei"))} gwei` : `${decimal(formatEther(wei))} ETH`;

export const time = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC");

export const percent = (bps) => `${Number(bps) / 100} %`;
