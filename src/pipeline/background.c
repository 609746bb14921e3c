#include "pipeline/background.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/recorder.h"

typedef struct Job {
    struct Job *next;
    AqmBackgroundWrite write;
    char *path;
    const void *subject, *detail;
} Job;

struct AqmBackground {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* jobs, is_busy or must_stop */
    Job *first, **end;
    bool is_busy, must_stop;
    AqmStatus status; /* of the first job that failed */
    AqmDiag diag;
};

static void job_free(Job *job) {
    aqm_free(job->path);
    aqm_free(job);
}

/* The next job, taken off the list; NULL when the thread is to end. With the mutex held. */
static Job *next_job(AqmBackground *background) {
    while (!background->must_stop && !background->first)
        pthread_cond_wait(&background->changed, &background->mutex);
    if (background->must_stop)
        return NULL;
    Job *job = background->first;
    background->first = job->next;
    if (!background->first)
        background->end = &background->first;
    return job;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void *work(void *user) {
    AqmBackground *background = user;
    pthread_mutex_lock(&background->mutex);
    for (Job *job; (job = next_job(background));) {
        const bool is_wanted = background->status == AQM_OK;
        background->is_busy = true;
        pthread_mutex_unlock(&background->mutex);
        const AqmScope scope = aqm_scope_begin(AQM_SCOPE_TASK, "file", file_name(job->path));
        AqmDiag diag = {0};
        const AqmStatus status =
            is_wanted ? job->write(job->path, job->subject, job->detail, &diag) : AQM_OK;
        aqm_scope_end(&scope);
        job_free(job);
        pthread_mutex_lock(&background->mutex);
        if (status != AQM_OK) {
            background->status = status;
            background->diag = diag;
        }
        background->is_busy = false;
        pthread_cond_broadcast(&background->changed);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

AqmStatus aqm_background_start(AqmBackground **out, AqmDiag *diag) {
    AqmBackground *background = aqm_calloc(1, sizeof *background);
    if (!background)
        return aqm_fail_memory(diag, "a thread that writes files", 1, sizeof *background);
    background->end = &background->first;
    pthread_mutex_init(&background->mutex, NULL);
    pthread_cond_init(&background->changed, NULL);
    if (pthread_create(&background->thread, NULL, work, background) != 0) {
        pthread_cond_destroy(&background->changed);
        pthread_mutex_destroy(&background->mutex);
        aqm_free(background);
        return aqm_fail(diag, AQM_ERROR_MEMORY, "no thread can be had to write files");
    }
    *out = background;
    return AQM_OK;
}

AqmStatus aqm_background_add(AqmBackground *background, AqmBackgroundWrite write, const char *path,
                             const void *subject, const void *detail, AqmDiag *diag) {
    Job *job = aqm_alloc(1, sizeof *job);
    char *copy = aqm_strdup(path);
    if (!job || !copy) {
        aqm_free(job);
        aqm_free(copy);
        return aqm_fail_memory(diag, "a file to write", 1, sizeof *job);
    }
    *job = (Job){NULL, write, copy, subject, detail};
    pthread_mutex_lock(&background->mutex);
    *background->end = job;
    background->end = &job->next;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
    return AQM_OK;
}

AqmStatus aqm_background_wait(AqmBackground *background, AqmDiag *diag) {
    pthread_mutex_lock(&background->mutex);
    while (background->first || background->is_busy)
        pthread_cond_wait(&background->changed, &background->mutex);
    const AqmStatus status = background->status;
    pthread_mutex_unlock(&background->mutex);
    return status == AQM_OK ? AQM_OK : aqm_fail(diag, status, "%s", background->diag.message);
}

void aqm_background_stop(AqmBackground **background) {
    if (!background || !*background)
        return;
    AqmBackground *own = *background;
    pthread_mutex_lock(&own->mutex);
    own->must_stop = true;
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->mutex);
    pthread_join(own->thread, NULL);
    for (Job *job = own->first; job;) {
        Job *next = job->next;
        job_free(job);
        job = next;
    }
    pthread_cond_destroy(&own->changed);
    pthread_mutex_destroy(&own->mutex);
    aqm_free(own);
    *background = NULL;
}
