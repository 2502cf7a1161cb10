import com.google.auth.oauth2.AccessToken;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.cloud.storage.HttpStorageOptions;
import com.google.cloud.storage.MultipartUploadClient;
import com.google.cloud.storage.MultipartUploadSettings;
import com.google.cloud.storage.StorageOptions;
import com.google.cloud.storage.multipartupload.model.ListMultipartUploadsRequest;
import com.google.cloud.storage.multipartupload.model.ListMultipartUploadsResponse;
import com.google.cloud.storage.multipartupload.model.ListPartsRequest;
import com.google.cloud.storage.multipartupload.model.ListPartsResponse;
import com.google.cloud.storage.multipartupload.model.MultipartUpload;
import com.google.cloud.storage.multipartupload.model.Part;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.List;

/** Prints a bucket's uploads: key (percent-encoded), id, class, initiation in milliseconds, number of parts, bytes. */
public class ListUploads {
  /** Takes the server's URL, the bucket, an access token, and how many items a page may have. */
  public static void main(String[] args) {
    GoogleCredentials credentials =
        GoogleCredentials.create(new AccessToken(args[2], new Date(System.currentTimeMillis() + 3_600_000)));
    HttpStorageOptions options =
        StorageOptions.http().setHost(args[0]).setProjectId("media-123456").setCredentials(credentials).build();
    MultipartUploadClient client = MultipartUploadClient.create(MultipartUploadSettings.of(options));
    int size = Integer.parseInt(args[3]);
    ListMultipartUploadsResponse page = null;
    do {
      ListMultipartUploadsRequest.Builder request =
          ListMultipartUploadsRequest.builder().bucket(args[1]).maxUploads(size);
      if (page != null) {
        request.keyMarker(page.nextKeyMarker()).uploadIdMarker(page.nextUploadIdMarker());
      }
      page = client.listMultipartUploads(request.build());
      for (MultipartUpload upload : page.uploads()) {
        print(client, args[1], upload, size);
      }
    } while (page.truncated());
  }

  private static void print(MultipartUploadClient client, String bucket, MultipartUpload upload, int size) {
    int parts = 0;
    long bytes = 0;
    ListPartsResponse page = null;
    do {
      ListPartsRequest.Builder request =
          ListPartsRequest.builder().bucket(bucket).key(upload.key()).uploadId(upload.uploadId()).maxParts(size);
      if (page != null) {
        request.partNumberMarker(page.nextPartNumberMarker());
      }
      page = client.listParts(request.build());
      for (Part part : page.parts() == null ? List.<Part>of() : page.parts()) { // null where there are none
        parts += 1;
        bytes += part.size();
      }
    } while (page.truncated());
    System.out.println(
        String.join(
            " ",
            URLEncoder.encode(upload.key(), StandardCharsets.UTF_8),
            upload.uploadId(),
            upload.storageClass().toString(),
            Long.toString(upload.initiated().toInstant().toEpochMilli()),
            Integer.toString(parts),
            Long.toString(bytes)));
  }
}
