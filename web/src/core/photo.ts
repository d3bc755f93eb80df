// A photo of the pit, made small enough for weak Wi-Fi, as a document of its order.
import type { Row } from "./replica";

const SIDE_MAX = 1_280;
/** The log keeps it for ever, so it is a record and not an album. */
const BYTES_MAX = 150_000;

async function jpeg(image: ImageBitmap, side: number, quality: number): Promise<Blob> {
  const scale = Math.min(1, side / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture cannot be read"))), "image/jpeg", quality));
}

const address = (blob: Blob): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error as Error);
    reader.readAsDataURL(blob);
  });

/** The document of a photo: at most [`BYTES_MAX`] bytes of JPEG in `metadata_json.image`, with their SHA-256. */
export async function photoDocument(file: Blob, order: { id: string; number: string }): Promise<Row> {
  const image = await createImageBitmap(file);
  let small = await jpeg(image, SIDE_MAX, 0.8);
  for (const [side, quality] of [[1_024, 0.7], [800, 0.6], [640, 0.5], [480, 0.4]] as const) {
    if (small.size <= BYTES_MAX) break;
    small = await jpeg(image, side, quality);
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await small.arrayBuffer()));
  const now = new Date().toISOString();
  return {
    document_id: `PHOTO-${crypto.randomUUID()}`,
    title: `${order.number}, ${now.slice(0, 16).replace("T", " ")} UTC`,
    document_type: "inspection_report",
    work_order_id: order.id,
    mime_type: "image/jpeg",
    file_size_bytes: small.size,
    file_hash: [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    issue_date: now,
    tags_json: ["photo"],
    metadata_json: { image: await address(small), taken_at: now },
  };
}
