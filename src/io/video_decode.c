/* Any frame of a video, exactly.
 *
 * Opening reads every packet once (without decoding) and so knows how many frames there are, where
 * their packets stand in the file, and which are key frames. Order of display: by presentation time
 * stamp; where one is missing or repeats (AVI with B-frames has none), by one decode of the whole
 * file. Frames are then recognised by the position of their packet, never by counting from a seek
 * point: after a seek, frames are decoded until the wanted one appears; if the first one to appear
 * lies past it, the container seeked too far and an earlier key frame is tried, at last the start
 * of the file. Reading on in order, or forward within one group of pictures, does not seek.
 *
 * Damage. Decoders made for players conceal what is broken and go on. A frame counts as readable
 * only if its own packet and all since the key frame before it decoded without complaint. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/ffmpeg_log.h"
#include "io/frame_convert.h"
#include "io/frame_source.h"
#include "io/video_stream.h"

typedef struct Entry {
    int64_t position; /* of its packet in the file, bytes */
    int64_t pts, dts; /* in the stream's time base; AV_NOPTS_VALUE = none */
    bool is_key;
} Entry;

/* Where in display order the frame of a packet stands. */
typedef struct Place {
    int64_t position;
    size_t index;
} Place;

struct AqmVideo {
    char *path;
    AqmVideoStream stream;
    AqmFrameConverter converter;
    Entry *entries; /* in the order of display */
    size_t count, capacity;
    Place *places; /* by position; NULL: packets cannot be told apart, frames are counted */
    size_t first;  /* index of the first frame since the last seek; SIZE_MAX = none yet */
    size_t next;   /* index of the frame that comes next; SIZE_MAX = not known (after a seek) */
};

static int by_pts(const void *a, const void *b) {
    const int64_t x = ((const Entry *)a)->pts, y = ((const Entry *)b)->pts;
    return (x > y) - (x < y);
}

static int by_position(const void *a, const void *b) {
    const int64_t x = ((const Place *)a)->position, y = ((const Place *)b)->position;
    return (x > y) - (x < y);
}

static AqmStatus add_entry(AqmVideo *video, const Entry *entry, AqmDiag *diag) {
    if (video->count == video->capacity) {
        const size_t capacity = video->capacity ? 2 * video->capacity : 1024;
        Entry *entries = aqm_realloc(video->entries, capacity, sizeof *entries);
        if (!entries)
            return aqm_fail_memory(diag, "a list of frames", capacity, sizeof *entries);
        video->entries = entries;
        video->capacity = capacity;
    }
    video->entries[video->count++] = *entry;
    return AQM_OK;
}

/* All packets that will be shown, in the order of the file. */
static AqmStatus list_packets(AqmVideo *video, AqmDiag *diag) {
    const AVPacket *packet = video->stream.packet;
    while (aqm_video_stream_packet(&video->stream)) {
        if (packet->flags & AV_PKT_FLAG_DISCARD)
            continue;
        const Entry entry = {packet->pos, packet->pts, packet->dts,
                             (packet->flags & AV_PKT_FLAG_KEY) != 0};
        AQM_TRY(add_entry(video, &entry, diag));
    }
    if (video->count == 0)
        return aqm_fail(diag, AQM_ERROR_NO_DATA, "%s: the video holds no frame", video->path);
    return AQM_OK;
}

/* Sorts by time stamp; false where one is missing or two are equal. */
static bool sort_by_pts(AqmVideo *video) {
    for (size_t i = 0; i < video->count; i++)
        if (video->entries[i].pts == AV_NOPTS_VALUE)
            return false;
    qsort(video->entries, video->count, sizeof *video->entries, by_pts);
    for (size_t i = 1; i < video->count; i++)
        if (video->entries[i].pts == video->entries[i - 1].pts)
            return false;
    return true;
}

/* Fills video->places from the entries as they stand; leaves NULL where positions are missing or
 * repeat. */
static AqmStatus index_positions(AqmVideo *video, AqmDiag *diag) {
    Place *places = aqm_alloc(video->count, sizeof *places);
    if (!places)
        return aqm_fail_memory(diag, "a list of frames", video->count, sizeof *places);
    bool usable = true;
    for (size_t i = 0; i < video->count; i++)
        places[i] = (Place){video->entries[i].position, i};
    qsort(places, video->count, sizeof *places, by_position);
    for (size_t i = 0; i < video->count; i++)
        usable = usable && places[i].position >= (i == 0 ? 0 : places[i - 1].position + 1);
    if (!usable)
        aqm_free(places);
    else
        video->places = places;
    return AQM_OK;
}

/* SIZE_MAX where no packet stands there. */
static size_t index_at(const AqmVideo *video, int64_t position) {
    const Place key = {position, 0};
    const Place *place =
        bsearch(&key, video->places, video->count, sizeof *video->places, by_position);
    return place ? place->index : SIZE_MAX;
}

/* Where the file was cut between B-frames, a frame that is displayed after a lost one is there
 * already, and would be counted as the lost one. Such a tail is dropped: with time stamps from the
 * first gap on, without them where the header promises more frames than there are. Only frames
 * displayed after the last packet of the file are in question. */
static void drop_tail_behind_gap(AqmVideo *video, bool has_pts, size_t packet_count) {
    size_t last = 0;
    for (size_t i = 1; i < video->count; i++)
        if (video->entries[i].position > video->entries[last].position)
            last = i;
    if (last == 0 || video->entries[last].position < 0)
        return;
    const Entry *entries = video->entries;
    const int64_t promised = video->stream.format->streams[video->stream.index]->nb_frames;
    if (!has_pts && promised > (int64_t)packet_count)
        video->count = last + 1;
    /* in double: a damaged file may have any two numbers as time stamps */
    const double step = (double)entries[last].pts - (double)entries[last - 1].pts;
    for (size_t i = last + 1; has_pts && i < video->count; i++)
        if ((double)entries[i].pts - (double)entries[i - 1].pts > 1.5 * step)
            video->count = i;
}

static AqmStatus rewind_stream(AqmVideo *video, AqmDiag *diag) {
    aqm_video_stream_close(&video->stream);
    video->next = SIZE_MAX;
    AQM_TRY(aqm_video_stream_open(&video->stream, video->path, diag));
    video->next = 0;
    return AQM_OK;
}

/* Puts the entries into the order in which the decoder gives their frames. Packets that give none
 * drop out. */
static AqmStatus sort_by_decoding(AqmVideo *video, AqmDiag *diag) {
    AQM_TRY(rewind_stream(video, diag));
    AQM_TRY(index_positions(video, diag));
    Entry *packets = video->entries;
    const size_t packet_count = video->count;
    Place *places = video->places;
    bool usable = places != NULL;
    AqmVideo shown = {.path = video->path};
    AqmStatus status = AQM_OK;
    while (status == AQM_OK && aqm_video_stream_next(&video->stream)) {
        const Place key = {video->stream.frame->pts, 0};
        const Place *place =
            usable ? bsearch(&key, places, packet_count, sizeof key, by_position) : NULL;
        usable = place != NULL;
        const Entry unknown = {-1, AV_NOPTS_VALUE, AV_NOPTS_VALUE, false};
        status = add_entry(&shown, place ? &packets[place->index] : &unknown, diag);
    }
    aqm_free(packets);
    aqm_free(places);
    video->places = NULL;
    video->entries = shown.entries;
    video->count = shown.count;
    video->capacity = shown.capacity;
    if (status == AQM_OK && video->count == 0)
        status = aqm_fail(diag, AQM_ERROR_FORMAT, "%s: no frame of the video can be decoded",
                          video->path);
    return status;
}

static AqmStatus open_video(AqmVideo *video, AqmDiag *diag) {
    AQM_TRY(aqm_video_stream_open(&video->stream, video->path, diag));
    AQM_TRY(list_packets(video, diag));
    const size_t packet_count = video->count;
    const bool has_pts = sort_by_pts(video);
    if (!has_pts)
        AQM_TRY(sort_by_decoding(video, diag));
    drop_tail_behind_gap(video, has_pts, packet_count);
    AQM_TRY(index_positions(video, diag));
    return rewind_stream(video, diag);
}

AqmStatus aqm_video_open(AqmVideo **out, const char *path, AqmDiag *diag) {
    AqmVideo *video = aqm_calloc(1, sizeof *video);
    if (!video || !(video->path = aqm_strdup(path))) {
        aqm_free(video);
        return aqm_fail_memory(diag, "a video", 1, sizeof *video);
    }
    AqmFfmpegLog log;
    aqm_ffmpeg_log_begin(&log);
    const AqmStatus status = open_video(video, diag);
    aqm_ffmpeg_log_end(&log);
    if (status != AQM_OK)
        aqm_video_close(&video);
    else
        *out = video;
    return status;
}

void aqm_video_close(AqmVideo **video) {
    if (!video || !*video)
        return;
    AqmFfmpegLog log;
    aqm_ffmpeg_log_begin(&log);
    aqm_video_stream_close(&(*video)->stream);
    aqm_frame_converter_release(&(*video)->converter);
    aqm_ffmpeg_log_end(&log);
    aqm_free((*video)->entries);
    aqm_free((*video)->places);
    aqm_free((*video)->path);
    aqm_free(*video);
    *video = NULL;
}

size_t aqm_video_count(const AqmVideo *video) {
    return video->count;
}

typedef enum Outcome {
    FOUND,
    DAMAGED, /* the frame is there but not whole */
    PAST,    /* what comes is already behind the wanted frame */
    ENDED    /* the file ends before it */
} Outcome;

/* Decodes until frame `index` comes. */
static Outcome advance(AqmVideo *video, size_t index) {
    while (aqm_video_stream_next(&video->stream)) {
        const AVFrame *frame = video->stream.frame;
        const size_t found = video->places ? index_at(video, frame->pts) : video->next;
        if (found == SIZE_MAX)
            continue;
        const bool sound = aqm_video_stream_sound(&video->stream, video->entries[found].is_key);
        video->next = found + 1;
        if (video->first == SIZE_MAX)
            video->first = found;
        if (found == index)
            return sound ? FOUND : DAMAGED;
        if (found > index)
            return PAST;
    }
    video->next = SIZE_MAX;
    return ENDED;
}

/* The last key frame at or before `index`; SIZE_MAX where there is none. */
static size_t key_before(const AqmVideo *video, size_t index) {
    for (size_t i = index + 1; i > 0; i--)
        if (video->entries[i - 1].is_key)
            return i - 1;
    return SIZE_MAX;
}

/* Whether decoding on from where the decoder stands is the way to the frame. */
static bool is_ahead(const AqmVideo *video, size_t index) {
    if (video->next > index)
        return false;
    const size_t key = video->places ? key_before(video, index) : SIZE_MAX;
    return video->next == index || key == SIZE_MAX || key <= video->next;
}

static Outcome seek_and_advance(AqmVideo *video, size_t key, size_t index) {
    const Entry *entry = &video->entries[key];
    const int64_t time_stamp = entry->pts != AV_NOPTS_VALUE ? entry->pts : entry->dts;
    video->next = video->first = SIZE_MAX;
    if (time_stamp == AV_NOPTS_VALUE || !aqm_video_stream_seek(&video->stream, time_stamp))
        return ENDED;
    return advance(video, index);
}

static AqmStatus find_frame(AqmVideo *video, size_t index, Outcome *outcome, AqmDiag *diag) {
    *outcome = ENDED;
    if (is_ahead(video, index)) {
        *outcome = advance(video, index);
        if (*outcome == FOUND || *outcome == DAMAGED)
            return AQM_OK;
    }
    size_t key = video->places ? key_before(video, index) : SIZE_MAX;
    int answers = 0;
    for (int attempt = 0; attempt < 3 && key != SIZE_MAX && key > 0; attempt++) {
        *outcome = seek_and_advance(video, key, index);
        if (*outcome == FOUND)
            return AQM_OK;
        /* Decoded from the key frame on and still not there or not whole: the frame is to blame,
         * not the seek. Asked twice, because a key frame may be one in name only; the way from the
         * start of the file could take minutes. */
        answers += video->first <= key;
        if (answers == 2)
            return AQM_OK;
        key = key_before(video, key - 1);
    }
    AQM_TRY(rewind_stream(video, diag));
    *outcome = advance(video, index);
    return AQM_OK;
}

AqmStatus aqm_video_read(AqmVideo *video, size_t index, AqmImage **out, AqmDiag *diag) {
    AqmFfmpegLog log;
    Outcome outcome = ENDED;
    aqm_ffmpeg_log_begin(&log);
    AqmStatus status = find_frame(video, index, &outcome, diag);
    if (status == AQM_OK && outcome != FOUND) {
        char reason[240];
        status = aqm_fail(diag, AQM_ERROR_FORMAT, "%s: frame %zu of %zu cannot be decoded: %s",
                          video->path, index, video->count, aqm_ffmpeg_reason(&log, 0, reason));
    }
    if (status == AQM_OK)
        status = aqm_frame_to_image(&video->converter, video->stream.frame, video->path, out, diag);
    aqm_ffmpeg_log_end(&log);
    return status;
}
